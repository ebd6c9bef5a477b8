import {
  DataDependentBranch,
  DataDependentShape,
  InvalidGraph,
  InvalidModel,
  InvalidTensor,
  UnknownOperatorSet,
  UnsupportedAttribute,
  UnsupportedModel,
} from "@tandem/onnx"
import { CompileFailed, ProviderUnavailable, RunFailed, type RuntimeError } from "@tandem/runtime"
import { InvalidSafetensors } from "@tandem/safetensors"
import { Schema } from "effect"

/** The fields that every error of this package can carry; each names one thing a caller can act on. */
const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  tensor: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** An encoder whose files are missing, unreadable or contradict one another. */
export class InvalidEncoder extends Schema.TaggedError<InvalidEncoder>()("InvalidEncoder", details) {}

/** A model that its files describe well and that this version cannot build. */
export class UnsupportedEncoder extends Schema.TaggedError<UnsupportedEncoder>()("UnsupportedEncoder", details) {}

/** A language model whose files are missing, unreadable or contradict one another. */
export class InvalidLanguageModel extends Schema.TaggedError<InvalidLanguageModel>()("InvalidLanguageModel", details) {}

/** An architecture, or a setting of one, whose graph this version does not build; an ONNX export may do. */
export class UnsupportedArchitecture extends Schema.TaggedError<UnsupportedArchitecture>()(
  "UnsupportedArchitecture",
  details,
) {}

/** A tokenizer's files that are missing or unreadable, or a request that it cannot fulfil. */
export class InvalidTokenizer extends Schema.TaggedError<InvalidTokenizer>()("InvalidTokenizer", details) {}

/** A sequence that is longer than the model has positions. */
export class SequenceTooLong extends Schema.TaggedError<SequenceTooLong>()("SequenceTooLong", details) {}

/** A model that could not be written; what stood at its place before is untouched. */
export class SaveFailed extends Schema.TaggedError<SaveFailed>()("SaveFailed", details) {}

/** A model that could not be brought from the hub, which was not reached, refused or failed. */
export class HubError extends Schema.TaggedError<HubError>()("HubError", details) {}

/** A model that the hub does not have, or of which it has nothing that can be loaded. */
export class NotOnHub extends Schema.TaggedError<NotOnHub>()("NotOnHub", details) {}

/** Adapters that are not plain LoRA, contradict themselves, or belong to another model. */
export class InvalidAdapter extends Schema.TaggedError<InvalidAdapter>()("InvalidAdapter", details) {}

/** Everything that working with a model's files and graphs can end in. */
export type ModelError =
  | InvalidSafetensors
  | InvalidEncoder
  | UnsupportedEncoder
  | InvalidLanguageModel
  | UnsupportedArchitecture
  | InvalidTokenizer
  | SequenceTooLong
  | SaveFailed
  | HubError
  | NotOnHub
  | InvalidAdapter
  | InvalidTensor
  | InvalidModel
  | InvalidGraph
  | UnsupportedModel
  | UnknownOperatorSet
  | UnsupportedAttribute
  | DataDependentBranch
  | DataDependentShape
  | RuntimeError

const classes = [
  InvalidSafetensors,
  InvalidEncoder,
  UnsupportedEncoder,
  InvalidLanguageModel,
  UnsupportedArchitecture,
  InvalidTokenizer,
  SequenceTooLong,
  SaveFailed,
  HubError,
  NotOnHub,
  InvalidAdapter,
  InvalidTensor,
  InvalidModel,
  InvalidGraph,
  UnsupportedModel,
  UnknownOperatorSet,
  UnsupportedAttribute,
  DataDependentBranch,
  DataDependentShape,
  ProviderUnavailable,
  CompileFailed,
  RunFailed,
]

/** Whether a thrown value is one of the errors that this package's functions end in. */
export const isModelError = (error: unknown): error is ModelError =>
  classes.some((constructor) => error instanceof constructor)
