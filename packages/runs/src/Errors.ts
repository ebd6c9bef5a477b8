import { Schema } from "effect"

const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** Settings that contradict each other or what the folder holds. */
export class SettingsError extends Schema.TaggedError<SettingsError>()("Settings", details) {}

/** Another process works in the run folder. */
export class RunLockedError extends Schema.TaggedError<RunLockedError>()("RunLocked", details) {}

/** What a run folder holds is not what a run leaves there: a file is missing, damaged or another one. */
export class InvalidRunError extends Schema.TaggedError<InvalidRunError>()("InvalidRun", details) {}

/** The disk, or what rights there are on it, keeps the run folder from being written or read. */
export class RunFolderError extends Schema.TaggedError<RunFolderError>()("RunFolder", details) {}
