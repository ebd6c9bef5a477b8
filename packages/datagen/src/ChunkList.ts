import type { Chunk } from "@tandem/documents"

/** Chunks in their order, in memory or not; an array is one. */
export interface ChunkList extends Iterable<Chunk> {
  readonly length: number
  /** The chunk at a place, counted from 0. */
  readonly at: (place: number) => Chunk | undefined
}

/** Whole numbers in their order; an array is such a list. */
export interface Places {
  readonly length: number
  readonly at: (index: number) => number | undefined
}

/** As many chunks as there are `places`, each found by `at`. */
export const chunkList = (places: Pick<Places, "length">, at: ChunkList["at"]): ChunkList => ({
  get length() {
    return places.length
  },
  at,
  *[Symbol.iterator]() {
    for (let index = 0; index < places.length; index++) {
      const chunk = at(index)
      if (chunk !== undefined) yield chunk
    }
  },
})

/** The chunks of a list that stand at these places. */
export const chunksAt = (list: ChunkList, places: Places): ChunkList =>
  chunkList(places, (index) => {
    const place = places.at(index)
    return place === undefined ? undefined : list.at(place)
  })

/** Numbers that are added one after another, 8 bytes each. */
export interface GrowingNumbers extends Places {
  readonly push: (value: number) => void
}

export const growingNumbers = (): GrowingNumbers => {
  let values = new Float64Array(1024)
  let length = 0
  return {
    get length() {
      return length
    },
    at: (index) => (index >= 0 && index < length ? values[index] : undefined),
    push: (value) => {
      if (length === values.length) {
        const larger = new Float64Array(2 * length)
        larger.set(values)
        values = larger
      }
      values[length++] = value
    },
  }
}
