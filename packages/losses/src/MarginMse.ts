import { type GraphBuilder, InvalidGraph, type Value } from "@tandem/onnx"
import { orOne, orZero, requireShape, sizesOf } from "./internal/Marginals.ts"
import { requireMask } from "./internal/Scores.ts"
import type { QueryReduction } from "./RetrieverLoss.ts"
import type { TaughtScores } from "./ScoreDistillation.ts"
import { stopGradient } from "./StopGradient.ts"

export interface MarginMse {
  /** `[] f32`, squares of the scores' unit. */
  readonly loss: Value
  /** `[B, k − 1] f32`: (s_0 − s_j) − (t_0 − t_j), 0 where there is no pair. */
  readonly errors: Value
}

/**
 * Margin-MSE: the retriever learns by how much a teacher prefers the positive to each negative.
 *
 *     loss = mean over (b, j ≥ 1) of ( (s[b, 0] − s[b, j]) − (t[b, 0] − t[b, j]) )²
 *
 * The first candidate is the positive. Reduction: the mean over pairs of queries and negatives that are both present, or the
 * sum. Gradients flow to `scores` alone, 2 · error / pairs. Scores are taken as they are: a cosine cannot have the margins of
 * a cross-encoder's logits, so bring both on one scale, or use {@link scoreDistillation}, which only asks for the order.
 *
 * Source: Hofstätter et al. 2020, "Improving Efficient Neural Ranking Models with Cross-Architecture Knowledge Distillation",
 * eq. 1.
 *
 * @throws InvalidGraph where shapes or types do not fit one another or there is no negative
 *
 * @example
 * ```ts
 * import { marginMse } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const scores = g.input("scores", "float32", [8, 4]) // a positive and three negatives
 * const teacher = g.input("teacher", "float32", [8, 4])
 * const { loss } = marginMse(g, { scores, teacher })
 * console.log(g.build({ loss }).outputs[0]?.dims) // []
 * ```
 */
export const marginMse = (
  g: GraphBuilder,
  { scores, teacher, present }: TaughtScores,
  { reduction = "mean" }: { readonly reduction?: QueryReduction } = {},
): MarginMse =>
  g.scope("marginMse", () => {
    const dims = sizesOf(scores, "scores", ["B", "k"])
    const [batch = 0, k = 0] = dims
    requireShape(teacher, "teacher", ["float32"], dims)
    requireMask(present, scores, "present")
    if (k < 2) {
      throw new InvalidGraph({
        message: "a margin is between a positive and a negative",
        field: "scores",
        expected: "two candidates or more",
        found: `float32[${dims}]`,
      })
    }
    const margins = (values: Value): Value => g.sub(g.slice(values, 1, 0, 1), g.slice(values, 1, 1, k))
    const all = g.sub(margins(scores), margins(stopGradient(g, teacher)))
    const pairs = present && g.op("And", [g.slice(present, 1, 0, 1), g.slice(present, 1, 1, k)])[0]!
    const errors = pairs === undefined ? all : orZero(g, pairs, all)
    const sum = g.reduceSum(g.mul(errors, errors), [0, 1], false)
    const count = pairs && orOne(g, g.reduceSum(g.cast(pairs, "float32"), [0, 1], false))
    return { loss: reduction === "sum" ? sum : g.div(sum, count ?? g.scalar(batch * (k - 1))), errors }
  })
