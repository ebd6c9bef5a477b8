import type { GraphBuilder, Value } from "@tandem/onnx"
import { divergence } from "./internal/Divergence.ts"
import { requireShape, sizesOf } from "./internal/Marginals.ts"
import { requireTemperature } from "./internal/Temperatures.ts"
import { candidatesOf } from "./Lsr.ts"
import type { CandidateScores, RetrieverLoss, RetrieverLossOptions } from "./RetrieverLoss.ts"
import { stopGradient } from "./StopGradient.ts"

export interface TaughtScores extends CandidateScores {
  /** `[B, k] f32`: the teacher's scores of the same candidates, a cross-encoder's logits or an embedding model's similarities. */
  readonly teacher: Value
}

export interface ScoreDistillationOptions extends RetrieverLossOptions {
  /** τ_T, divides the teacher's scores. */
  readonly teacherTemperature: number
  /** KL of the first from the second; default `teacher-retriever`, the cross entropy's. */
  readonly direction?: "teacher-retriever" | "retriever-teacher"
}

/**
 * Distillation of a teacher's scores of the candidates: KL of two softmax distributions, times τ_R².
 *
 *     loss_b = τ_R² · KL ( softmax_i ( t_i / τ_T ) ‖ softmax_i ( s_i / τ_R ) )
 *
 * The factor keeps the gradient's size at high temperatures, where both distributions are flat; for the same reason flat
 * targets train unless `flatBelow` (0 here) says otherwise. Reduction and errors are those of {@link lsr}; `perQuery` holds
 * the factor too. Gradients flow to `scores` alone.
 *
 * Siblings: {@link marginMse}, which asks for the teacher's differences themselves and not for their order alone.
 *
 * Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2; for rankers Lin et al. 2021,
 * "In-Batch Negatives for Knowledge Distillation with Tightly-Coupled Teachers for Dense Retrieval".
 *
 * @example
 * ```ts
 * import { scoreDistillation } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const scores = g.input("scores", "float32", [8, 16])
 * const teacher = g.input("teacher", "float32", [8, 16])
 * const { loss } = scoreDistillation(g, { scores, teacher }, { retrieverTemperature: 1, teacherTemperature: 1 })
 * console.log(g.build({ loss }).outputs[0]?.dims) // []
 * ```
 */
export const scoreDistillation = (
  g: GraphBuilder,
  inputs: TaughtScores,
  options: ScoreDistillationOptions,
): RetrieverLoss =>
  g.scope("scoreDistillation", () => {
    const { teacherTemperature, direction = "teacher-retriever", flatBelow = 0, ...rest } = options
    requireTemperature(teacherTemperature, "teacherTemperature")
    requireShape(inputs.teacher, "teacher", ["float32"], sizesOf(inputs.scores, "scores", ["B", "k"]))
    const targetScores = g.mul(stopGradient(g, inputs.teacher), g.scalar(1 / teacherTemperature))
    const first = direction === "teacher-retriever" ? "target" : "retriever"
    const found = divergence(g, { ...candidatesOf(inputs), ...rest, flatBelow, targetScores, first })
    const factor = g.scalar(rest.retrieverTemperature ** 2)
    return { ...found, loss: g.mul(found.loss, factor), perQuery: g.mul(found.perQuery, factor) }
  })
