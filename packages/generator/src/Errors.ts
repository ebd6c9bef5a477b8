import { Schema } from "effect"

const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** A template of prompts that lacks a placeholder, or cannot be read. */
export class InvalidTemplate extends Schema.TaggedError<InvalidTemplate>()("InvalidTemplate", {
  ...details,
  line: Schema.optional(Schema.Number),
}) {}

/**
 * A prompt or an answer that a model cannot be given: no token is left of it, it does not fit even without its context, or
 * it asks for a chat template that the tokenizer lacks.
 */
export class InvalidPrompt extends Schema.TaggedError<InvalidPrompt>()("InvalidPrompt", details) {}

/** Settings of a generation that contradict each other, or that this generator cannot fulfil. */
export class InvalidGeneration extends Schema.TaggedError<InvalidGeneration>()("InvalidGeneration", details) {}

/** A remote model that refused, timed out, or answered something else than its interface says. */
export class RemoteFailed extends Schema.TaggedError<RemoteFailed>()("RemoteFailed", {
  ...details,
  url: Schema.optional(Schema.String),
  status: Schema.optional(Schema.Number),
  /** Seconds that the server asked to wait for before the next request. */
  retryAfter: Schema.optional(Schema.Number),
  /** Tokens of an answer that cannot be used, where the server counted them: they are paid for all the same. */
  usage: Schema.optional(Schema.Struct({ inputTokens: Schema.Number, outputTokens: Schema.Number })),
}) {}
