import { Schema } from "effect"

const details = {
  message: Schema.String,
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** Two encoders that cannot be the towers of one retriever, because their embeddings have different widths. */
export class TowerMismatchError extends Schema.TaggedError<TowerMismatchError>()("TowerMismatch", details) {}
