import { bool, type GraphBuilder, InvalidGraph, staticDims, type Value } from "@tandem/onnx"

/**
 * What stands in for the score of a passage that does not take part. Finite, because −∞ − −∞ is NaN; e to the power of
 * it is 0 in every precision, and so is its gradient.
 */
export const absent = -1e30

/** The sizes of `[B, P]` scores; a loss needs them as numbers, and every query's positive among the passages. */
export const scoreDims = (scores: Value): readonly [queries: number, passages: number] => {
  const [queries, passages, ...rest] = staticDims(scores.dims) ?? []
  if (queries === undefined || passages === undefined || rest.length > 0 || queries < 1 || passages < queries) {
    throw new InvalidGraph({
      message: "the scores do not hold one positive passage for every query",
      expected: "[B, P] with P of at least B, and B of at least 1",
      found: `[${scores.dims ?? "?"}]`,
    })
  }
  return [queries, passages]
}

/** Refuses a mask that is not a truth value for each score. */
export const requireMask = (mask: Value | undefined, scores: Value, field: string): void => {
  if (mask === undefined || (mask.type === "bool" && `${mask.dims}` === `${scores.dims}`)) return
  throw new InvalidGraph({
    message: `the mask ${field} does not fit the scores`,
    field,
    expected: `bool[${scores.dims}]`,
    found: `${mask.type}[${mask.dims}]`,
  })
}

/** `bool [rows, columns]`, true on the main diagonal: the positive of query b is passage b. */
export const ownMask = (g: GraphBuilder, rows: number, columns: number): Value =>
  g.constant(
    bool(
      [rows, columns],
      Array.from({ length: rows * columns }, (_, at) => at % columns === Math.floor(at / columns)),
    ),
  )

/** The scores with those of passages outside `kept` put out of the way. */
export const keepWhere = (g: GraphBuilder, kept: Value, scores: Value): Value => g.where(kept, scores, g.scalar(absent))

/** Scores less the largest along an axis: at most 0, and 0 at least once, so that their exponentials neither overflow nor all vanish. */
export const shifted = (g: GraphBuilder, scores: Value, axis: number): Value =>
  g.sub(scores, g.reduceMax(scores, [axis], true))

/** The sum of the scores that `mask` marks, along an axis, which is left out of the result. */
export const sumWhere = (g: GraphBuilder, mask: Value, scores: Value, axis: number): Value =>
  g.reduceSum(g.where(mask, scores, g.scalar(0)), [axis], false)
