import { Effect } from "effect"
import type { Hit, SearchRequest } from "../KnowledgeStore.ts"
import { type RowsView, toHits } from "./Rows.ts"
import { innerProducts, inverseNorms, negativeSquaredDistances } from "./Scores.ts"
import { TopK } from "./TopK.ts"

const queriesPerBlock = 32
// 32 × 512 scores and 512 rows of 384 floats stay in a core's second-level cache.
const rowsPerBlock = 512

const searchBlock = (
  view: RowsView,
  { vectors, k, withVectors = false }: SearchRequest,
  start: number,
  end: number,
) => {
  const { identity, count } = view
  const { dimension, similarity } = identity
  const queryCount = end - start
  const queries = Float64Array.from(vectors.subarray(start * dimension, end * dimension))
  const best = Array.from({ length: queryCount }, () => new TopK(Math.min(k, count)))
  const norms = similarity === "cosine" ? inverseNorms(vectors, dimension, start, end) : undefined
  const out = new Float64Array(queryCount * Math.min(rowsPerBlock, count))
  for (let rowStart = 0; rowStart < count; rowStart += rowsPerBlock) {
    const rowCount = Math.min(rowsPerBlock, count - rowStart)
    const block = { queries, queryCount, rows: view.vectors, rowStart, rowCount, dimension, out }
    if (similarity === "l2") negativeSquaredDistances(block)
    else innerProducts(block)
    for (let q = 0; q < queryCount; q++) {
      const heap = best[q]!
      const offset = q * rowCount
      if (norms === undefined) for (let r = 0; r < rowCount; r++) heap.offer(out[offset + r]!, rowStart + r)
      else {
        const norm = norms[q]!
        for (let r = 0; r < rowCount; r++)
          heap.offer(out[offset + r]! * norm * view.inverseNorms[rowStart + r]!, rowStart + r)
      }
    }
  }
  return best.map((heap) => toHits(view, heap.drain(), withVectors))
}

/** Compares every query with every row of the view. Lets other fibers run between blocks of queries. */
export const exactSearch = Effect.fnUntraced(function* (
  view: RowsView,
  request: SearchRequest,
): Effect.fn.Return<readonly (readonly Hit[])[]> {
  const total = request.vectors.length / view.identity.dimension
  if (view.count === 0) return Array.from({ length: total }, () => [])
  const hits: (readonly Hit[])[] = []
  for (let start = 0; start < total; start += queriesPerBlock) {
    if (start > 0) yield* Effect.yieldNow
    hits.push(...searchBlock(view, request, start, Math.min(start + queriesPerBlock, total)))
  }
  return hits
})
