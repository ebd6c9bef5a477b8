import type { RuleTable } from "@tandem/autodiff"
import type { Graph, Tensor } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import { Effect } from "effect"
import type { InspectionError } from "./Errors.ts"
import { checkNumerically, type NumericOptions } from "./GradCheckNumeric.ts"
import { checkAgainstReference } from "./GradCheckReference.ts"
import type { GradCheckReport } from "./GradCheckReport.ts"
import { asWritten } from "./internal/AsWritten.ts"

/** What `gradCheck` takes besides the model. */
export interface GradCheckOptions extends NumericOptions {
  /**
   * Tensors of a reference: `in.<input>`, `R`, `out`, `loss`, `w.<parameter>`, `g.<parameter>`, where
   * loss = sum(out · R) / numel(out) over the model's first output. Without it, derivatives are taken numerically.
   */
  readonly reference?: ReadonlyMap<string, Tensor>
  /** Largest relative error of a parameter (default 1e-4 against a reference, 1e-2 without one). */
  readonly rtol?: number
  readonly rules?: RuleTable
}

/**
 * Checks the gradients of a model's loss = sum(out · R) / numel(out) by its weights, on the model's first output `out`.
 *
 * - Against a reference, such as PyTorch's gradients: ‖Δ‖ ≤ rtol · max(‖g‖, 1e-3 · the largest ‖g‖) for every parameter
 *   (some gradients are zero by symmetry, and their rounding means nothing), and the loss to 1e-5 of the mean |out · R|.
 *   Parameters are matched by value (`matchParameters`); what finds no partner, or more than one, makes `ok` false.
 * - Without one: analytic derivatives against central differences, along the gradient and along random directions, for
 *   every `float32` weight. Differences in 32-bit floats are good to about 1e-2, which is the default tolerance; each
 *   parameter's `resolution` says what rounding alone may account for. Inputs that are not given are made up.
 *
 * An operator without a rule on the way ends in `MissingGradient`, a reference that does not fit in `InvalidReference`.
 */
export const gradCheck = (
  graph: Graph,
  { reference, ...options }: GradCheckOptions = {},
): Effect.Effect<GradCheckReport, InspectionError, Runtime> =>
  Effect.mapError(
    reference === undefined
      ? checkNumerically(graph, options)
      : checkAgainstReference(graph, { ...options, reference }),
    asWritten(graph),
  )
