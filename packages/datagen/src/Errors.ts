import { Schema } from "effect"

const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** Settings of a pipeline that are wrong, unknown or contradict each other. */
export class InvalidDatagenSettings extends Schema.TaggedError<InvalidDatagenSettings>()(
  "InvalidDatagenSettings",
  details,
) {}

/** A file of prompts that is missing, no mapping of messages, or lacks a placeholder. */
export class InvalidPromptFile extends Schema.TaggedError<InvalidPromptFile>()("InvalidPromptFile", {
  ...details,
  line: Schema.optional(Schema.Number),
}) {}

/** Fewer chunks than a simulated retrieval draws from. */
export class TooFewChunks extends Schema.TaggedError<TooFewChunks>()("TooFewChunks", details) {}

/** The next call could cost more than what is left of the budget; what is finished is kept. */
export class BudgetReached extends Schema.TaggedError<BudgetReached>()("BudgetReached", details) {}

/** An endpoint that has not answered for long; what is finished is kept. */
export class EndpointDown extends Schema.TaggedError<EndpointDown>()("EndpointDown", details) {}

/** The database of results that cannot be opened, read or written. */
export class ResultStoreFailed extends Schema.TaggedError<ResultStoreFailed>()("ResultStoreFailed", details) {}

/** An output folder that cannot be written, or that another process works in. */
export class OutputFolderFailed extends Schema.TaggedError<OutputFolderFailed>()("OutputFolderFailed", details) {}
