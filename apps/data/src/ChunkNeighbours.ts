import type { Neighbours } from "@tandem/datagen"
import type { Chunk } from "@tandem/documents"
import { openEncoder } from "@tandem/models/node/LoadEncoder"
import { encodeAll, towerOf } from "@tandem/retriever"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"

/** The nearest chunks of each chunk by the cosine of their vectors. */
export const chunkNeighbours = Effect.fnUntraced(function* (
  encoder: string,
  chunks: readonly Chunk[],
  device: NodeProvider | "auto" = "cpu",
) {
  const tower = towerOf(yield* openEncoder(encoder))
  const { vectors, dimension } = yield* encodeAll(
    tower,
    chunks.map(({ text }) => text),
    { kind: "passage", similarity: "cosine" },
  ).pipe(Effect.provide(layer({ device })))
  const rows = new Map(chunks.map(({ id }, row) => [id, row]))
  const neighbours: Neighbours = ({ id }, k) => {
    const row = rows.get(id)
    if (row === undefined) return []
    const own = vectors.subarray(row * dimension, (row + 1) * dimension)
    const scores = chunks.map((_, other) => {
      let sum = 0
      for (let index = 0; index < dimension; index++) sum += own[index]! * vectors[other * dimension + index]!
      return { other, sum }
    })
    return scores
      .toSorted((a, b) => b.sum - a.sum || a.other - b.other)
      .slice(0, k)
      .map(({ other }) => chunks[other]!.id)
  }
  return neighbours
})
