import { Schema } from "effect"

const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** A folder that is none, cannot be listed, or holds no document that can be read. */
export class NoDocumentsError extends Schema.TaggedError<NoDocumentsError>()("NoDocuments", details) {}

/** Options of a chunker that no chunk could fulfil. */
export class InvalidChunkingError extends Schema.TaggedError<InvalidChunkingError>()("InvalidChunking", details) {}
