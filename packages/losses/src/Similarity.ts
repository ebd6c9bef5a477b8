import { type GraphBuilder, InvalidGraph, type Similarity, staticDims, type Value } from "@tandem/onnx"
import { requireTemperature } from "./internal/Temperatures.ts"

/**
 * Rows of `x` at unit length: x / max(‖x‖₂, 1e-12), PyTorch's `F.normalize`.
 *
 * `x` is `[rows, width] f32`, and so is the result. The bound is put under the root (1e-24 on the squares), so that a row
 * of zeros gives zeros and a finite gradient.
 */
export const unitRows = (g: GraphBuilder, x: Value): Value => {
  const squares = g.max(g.reduceSum(g.mul(x, x), [-1], true), g.scalar(1e-24))
  return g.div(x, g.sqrt(squares))
}

/** What is compared and how; see {@link similarityScores}. */
export interface SimilarityOptions {
  readonly similarity: Similarity
  /** Divides the scores; 1 where absent. */
  readonly temperature?: number
}

/**
 * Scores of every query against every passage: s[b, j] = q_b · c_j / τ, with both at unit length for `cosine`.
 *
 * `queries` is `[B, d] f32`, `passages` `[P, d] f32`, the result `[B, P] f32`. Gradients flow to both. The temperature
 * rides on the product's factor and costs no pass of its own.
 *
 * @throws InvalidGraph where the shapes are not static matrices of one width, or the temperature is not a positive number
 */
export const similarityScores = (
  g: GraphBuilder,
  queries: Value,
  passages: Value,
  { similarity, temperature = 1 }: SimilarityOptions,
): Value => {
  requireMatrices(queries, passages)
  requireTemperature(temperature)
  const unit = (x: Value): Value => (similarity === "cosine" ? unitRows(g, x) : x)
  return g.gemm(unit(queries), unit(passages), { transB: true, alpha: 1 / temperature })
}

const requireMatrices = (queries: Value, passages: Value): void => {
  const [q, p] = [staticDims(queries.dims), staticDims(passages.dims)]
  const fits =
    q?.length === 2 && p?.length === 2 && q[1] === p[1] && queries.type === "float32" && passages.type === "float32"
  if (fits) return
  throw new InvalidGraph({
    message: "queries and passages are no matrices that can be compared",
    expected: "float32[B, d] and float32[P, d], all sizes known",
    found: `${queries.type}[${queries.dims}] and ${passages.type}[${passages.dims}]`,
  })
}
