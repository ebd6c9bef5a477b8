import { Schema } from "effect"

/**
 * Scores of passages that a retriever cannot be taught by: another teacher's or of another prompt, a pair that is there twice
 * or not at all, or a value that is none.
 */
export class InvalidScoresError extends Schema.TaggedError<InvalidScoresError>()("InvalidScores", {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  line: Schema.optional(Schema.Number),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}) {}
