import { Schema } from "effect"

const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  tensor: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** The loss or the gradient stopped being a finite number. Weights and earlier checkpoints are untouched. */
export class TrainingDiverged extends Schema.TaggedError<TrainingDiverged>()("TrainingDiverged", {
  ...details,
  step: Schema.Number,
}) {}

/** Training was asked to stop before its end; a checkpoint of `step` has been written. */
export class TrainingInterrupted extends Schema.TaggedError<TrainingInterrupted>()("TrainingInterrupted", {
  ...details,
  step: Schema.Number,
}) {}

/** A hook broke off in a way that it does not declare. Earlier checkpoints are untouched. */
export class HookFailed extends Schema.TaggedError<HookFailed>()("HookFailed", {
  ...details,
  hook: Schema.String,
  step: Schema.Number,
}) {}

/** A part or a pattern that names no parameter, or patterns that leave nothing to train. */
export class FreezePatternError extends Schema.TaggedError<FreezePatternError>()("FreezePattern", details) {}

/** Settings that contradict each other or the model. */
export class InvalidSettings extends Schema.TaggedError<InvalidSettings>()("InvalidSettings", details) {}

/** A checkpoint cannot be written or read. */
export class CheckpointFailed extends Schema.TaggedError<CheckpointFailed>()("CheckpointFailed", details) {}
