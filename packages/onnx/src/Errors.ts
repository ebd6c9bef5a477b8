// Not from "effect" itself: bundlers keep all of that module, parts for servers included.
import * as Schema from "effect/Schema"

/** The fields that every error of this package can carry; each names one thing a caller can act on. */
const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  tensor: Schema.optional(Schema.String),
  node: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** A tensor whose data, type or shape contradict each other. */
export class InvalidTensor extends Schema.TaggedError<InvalidTensor>()("InvalidTensor", details) {}

/** Bytes that are not a readable ONNX model: cut off, another format, or contradicting themselves. */
export class InvalidModel extends Schema.TaggedError<InvalidModel>()("InvalidModel", details) {}

/** A graph that cannot be built: operands of the wrong type or shape, unknown values, names used twice. */
export class InvalidGraph extends Schema.TaggedError<InvalidGraph>()("InvalidGraph", details) {}

/** Something that ONNX allows and this version does not handle. */
export class UnsupportedModel extends Schema.TaggedError<UnsupportedModel>()("UnsupportedModel", details) {}

/** An operator set that this version has not been reviewed for: a newer or older ONNX, or somebody's own operators. */
export class UnknownOperatorSet extends Schema.TaggedError<UnknownOperatorSet>()("UnknownOperatorSet", details) {}

/** An operator with a setting, or a form of operands, that this version cannot express in plain operators. */
export class UnsupportedAttribute extends Schema.TaggedError<UnsupportedAttribute>()("UnsupportedAttribute", details) {}

/** Control flow that depends on the data: which nodes run is not known before the model does. */
export class DataDependentBranch extends Schema.TaggedError<DataDependentBranch>()("DataDependentBranch", details) {}

/** A shape that depends on the data, as that of the places where something is not zero; no static graph has it. */
export class DataDependentShape extends Schema.TaggedError<DataDependentShape>()("DataDependentShape", {
  ...details,
  op: Schema.optional(Schema.String),
}) {}
