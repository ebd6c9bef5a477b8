import { Schema } from "effect"

/** Documents of which too few questions can be made to train with and to measure by. */
export class TooFewQuestionsError extends Schema.TaggedError<TooFewQuestionsError>()("TooFewQuestions", {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}) {}
