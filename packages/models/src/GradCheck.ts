import type { RuleTable } from "@tandem/autodiff"
import type { Graph, Tensor } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import type { Effect } from "effect"
import type { ModelError } from "./Errors.ts"
import { checkAgainstReference } from "./GradCheckReference.ts"
import type { GradCheckReport } from "./GradCheckReport.ts"
import type { GradientError } from "./internal/Attempt.ts"

/** What `gradCheck` takes besides the model. */
export interface GradCheckOptions {
  /**
   * Tensors of a reference: `in.<input>`, `R`, `out`, `loss`, `w.<parameter>`, `g.<parameter>`, where
   * loss = sum(out · R) / numel(out) over the model's first output.
   */
  readonly reference: ReadonlyMap<string, Tensor>
  /** Largest ‖Δ‖ / max(‖g‖, 1e-3 · the largest ‖g‖) of a parameter (default 1e-4). */
  readonly rtol?: number
  readonly rules?: RuleTable
}

/** Checks the gradients of a model. */
export const gradCheck = (
  graph: Graph,
  options: GradCheckOptions,
): Effect.Effect<GradCheckReport, ModelError | GradientError, Runtime> => checkAgainstReference(graph, options)
