import * as Schema from "effect/Schema"

const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** A flag that the command does not know. */
export class UnknownFlag extends Schema.TaggedError<UnknownFlag>()("UnknownFlag", details) {}

/** A command that does not exist. */
export class UnknownCommand extends Schema.TaggedError<UnknownCommand>()("UnknownCommand", details) {}

/** A flag or an argument that the command cannot do without. */
export class MissingFlag extends Schema.TaggedError<MissingFlag>()("MissingFlag", details) {}

/** A flag, an argument or a key of a settings file with a wrong value. */
export class InvalidFlag extends Schema.TaggedError<InvalidFlag>()("InvalidFlag", details) {}

/** A flag that would change nothing beside the others. */
export class FlagWithoutEffect extends Schema.TaggedError<FlagWithoutEffect>()("FlagWithoutEffect", details) {}

/** A settings file that cannot be read, or that is no mapping of settings. */
export class InvalidConfig extends Schema.TaggedError<InvalidConfig>()("InvalidConfig", details) {}

/** A folder that holds no finished run. */
export class NoRun extends Schema.TaggedError<NoRun>()("NoRun", details) {}

/** The machine lacks what training needs. */
export class DoctorFailed extends Schema.TaggedError<DoctorFailed>()("DoctorFailed", details) {}

/** A check that found what it looks for; its report has been printed. */
export class CheckFailed extends Schema.TaggedError<CheckFailed>()("CheckFailed", details) {}

/** Everything that the command line itself can refuse. */
export type UsageError = UnknownFlag | UnknownCommand | MissingFlag | InvalidFlag | FlagWithoutEffect | InvalidConfig
