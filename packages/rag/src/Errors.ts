import type { GeneratorError } from "@tandem/generator"
import type { SearchError } from "@tandem/store"
import { Schema } from "effect"

const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/**
 * A request that this system cannot fulfil, whose fault it is: an empty question, a number of passages below 1, an answer
 * from a system without a language model, embeddings from one without an encoder. `field` names what is wrong.
 */
export class InvalidAskError extends Schema.TaggedError<InvalidAskError>()("InvalidAsk", details) {}

/** A knowledge source of the caller's own that failed, or found something that is no passage. */
export class KnowledgeSourceError extends Schema.TaggedError<KnowledgeSourceError>()("KnowledgeSource", details) {}

/** Everything that a request can end in. */
export type RagError = InvalidAskError | KnowledgeSourceError | GeneratorError | SearchError
