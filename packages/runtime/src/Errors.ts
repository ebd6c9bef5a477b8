import { Schema } from "effect"

const details = {
  message: Schema.String,
  field: Schema.optional(Schema.String),
  node: Schema.optional(Schema.String),
  tensor: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** The requested device cannot be had on this machine; `hint` says how to get it. */
export class ProviderUnavailable extends Schema.TaggedError<ProviderUnavailable>()("ProviderUnavailable", details) {}

/** ONNX Runtime refused to compile a graph. */
export class CompileFailed extends Schema.TaggedError<CompileFailed>()("CompileFailed", details) {}

/** A compiled graph failed while it ran, or was given inputs that do not fit it. */
export class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", details) {}

export type RuntimeError = ProviderUnavailable | CompileFailed | RunFailed
