import { Disconnected, MissingGradient, NotDifferentiable } from "@tandem/autodiff"
import { isModelError, type ModelError } from "@tandem/models"
import { Schema } from "effect"

/** A reference file for gradients that lacks a tensor, or whose tensors do not fit the model. */
export class InvalidReference extends Schema.TaggedError<InvalidReference>()("InvalidReference", {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  tensor: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}) {}

/** What differentiating a model can end in. */
export type GradientError = MissingGradient | Disconnected | NotDifferentiable

/** Everything that checking a model can end in. */
export type InspectionError = ModelError | GradientError | InvalidReference

/** Whether a thrown value says that a graph cannot be differentiated. */
export const isGradientError = (error: unknown): error is GradientError =>
  error instanceof MissingGradient || error instanceof Disconnected || error instanceof NotDifferentiable

/** Whether a thrown value is one of the errors that this package's functions end in. */
export const isInspectionError = (error: unknown): error is InspectionError =>
  isModelError(error) || isGradientError(error) || error instanceof InvalidReference
