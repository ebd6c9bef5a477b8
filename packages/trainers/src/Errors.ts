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

/** Settings that contradict each other or the model. */
export class InvalidSettings extends Schema.TaggedError<InvalidSettings>()("InvalidSettings", details) {}

/** A checkpoint cannot be written or read. */
export class CheckpointFailed extends Schema.TaggedError<CheckpointFailed>()("CheckpointFailed", details) {}
