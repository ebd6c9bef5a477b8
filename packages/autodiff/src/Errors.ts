// Not from "effect" itself: bundlers keep all of that module, parts for servers included.
import * as Schema from "effect/Schema"

const details = {
  message: Schema.String,
  op: Schema.optional(Schema.String),
  opset: Schema.optional(Schema.Number),
  input: Schema.optional(Schema.String),
  node: Schema.optional(Schema.String),
  tensor: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** An operator on the way from the loss to a trainable value has no gradient; it is never taken for zero. */
export class MissingGradient extends Schema.TaggedError<MissingGradient>()("MissingGradient", details) {}

/** A value that was asked to be trained does not influence the loss. */
export class Disconnected extends Schema.TaggedError<Disconnected>()("Disconnected", details) {}

/** The graph cannot be differentiated as it is: the loss is no scalar, or a shape on the way is not known. */
export class NotDifferentiable extends Schema.TaggedError<NotDifferentiable>()("NotDifferentiable", details) {}

/** Adapters cannot be added as asked: nothing is targeted, a target is no linear map, or a setting is impossible. */
export class InvalidLora extends Schema.TaggedError<InvalidLora>()("InvalidLora", {
  ...details,
  field: Schema.optional(Schema.String),
}) {}
