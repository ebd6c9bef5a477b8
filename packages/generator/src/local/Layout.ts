import { int64, type Tensor } from "@tandem/onnx"

/** Rows of different lengths, side by side. */
interface PlacedRows {
  readonly width: number
  /** What every graph of any shape reads of a run's tokens (`Decoding`). */
  readonly tensors: Readonly<Record<"input_ids" | "position_ids" | "tokens_at" | "places", Tensor>>
  /** Number of the first token of each row among all tokens. */
  readonly first: readonly number[]
}

const placed = (rows: readonly RowTokens[]): PlacedRows => {
  const width = rows.reduce((widest, { ids }) => Math.max(widest, ids.length), 1)
  const first: number[] = []
  const [ids, positions, places]: [number[], number[], number[]] = [[], [], []]
  const tokensAt = new BigInt64Array(rows.length * width)
  for (const [row, { ids: own, start }] of rows.entries()) {
    first.push(ids.length)
    for (const [index, id] of own.entries()) {
      const place = row * width + index
      tokensAt[place] = BigInt(ids.length)
      ids.push(id)
      positions.push(start + index)
      places.push(place)
    }
  }
  return {
    width,
    first,
    tensors: {
      input_ids: int64([ids.length], ids),
      position_ids: int64([ids.length], positions),
      tokens_at: { type: "int64", dims: [rows.length, width], data: tokensAt },
      places: int64([ids.length], places),
    },
  }
}

/** Tokens that one row of a run brings. */
export interface RowTokens {
  readonly ids: readonly number[]
  /** Position of the first one; the others follow it. */
  readonly start: number
}

/** What a run is laid out in. */
export interface RunShape {
  readonly rows: readonly RowTokens[]
  /** Columns of each row's cache. */
  readonly capacity: number
  /** The column that each row's first token is written into; the others follow it. */
  readonly column: number
  /** Position of what stands at each column of each row before the run, −1 where nothing does. */
  readonly before: readonly (readonly number[])[]
  /** The same of the prefixes; each belongs to `rows / prefixes` neighbouring rows. */
  readonly prefix: readonly (readonly number[])[]
  /** Heads of keys and values. */
  readonly heads: number
}

/** A run's inputs beside weights and buffers (`Decoding`), and the cache's positions after it. */
export interface RunLayout {
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly after: readonly (readonly number[])[]
  /** Number of the first token of each row among all tokens. */
  readonly first: readonly number[]
}

/**
 * Lays rows of different lengths out side by side. Token-wise work is done on real tokens alone; a place without one is
 * written into a column of its own, whose position stays −1.
 */
export const layOut = ({ rows, capacity, column, before, prefix, heads }: RunShape): RunLayout => {
  const { width, first, tensors } = placed(rows)
  const cachePlaces = new BigInt64Array(rows.length * heads * width * 3)
  const after = before.map((row) => [...row])
  for (const [row, { ids, start }] of rows.entries()) {
    for (const index of ids.keys()) after[row]![column + index] = start + index
    for (let head = 0; head < heads; head++) {
      for (let index = 0; index < width; index++) {
        cachePlaces.set([row, head, column + index].map(BigInt), ((row * heads + head) * width + index) * 3)
      }
    }
  }
  return {
    tensors: {
      ...tensors,
      cache_places: { type: "int64", dims: [rows.length, heads, width, 3], data: cachePlaces },
      cache_positions: int64([rows.length, capacity], after.flat()),
      prefix_positions: int64([prefix.length, prefix[0]!.length], prefix.flat()),
    },
    after,
    first,
  }
}

/** Lays rows out that are scored, each behind the prefix of that number. */
export const layOutScored = (
  rows: readonly (RowTokens & { readonly prefix: number })[],
  prefixes: readonly (readonly number[])[],
): Pick<RunLayout, "tensors" | "first"> => {
  const { width, first, tensors } = placed(rows)
  const positions = rows.flatMap(({ ids, start }) =>
    Array.from({ length: width }, (_, index) => (index < ids.length ? start + index : -1)),
  )
  return {
    first,
    tensors: {
      ...tensors,
      place_positions: int64([rows.length, width], positions),
      prefix_positions: int64([prefixes.length, prefixes[0]!.length], prefixes.flat()),
      prefix_of: int64(
        [rows.length],
        rows.map(({ prefix }) => prefix),
      ),
    },
  }
}

/** Positions of rows of so many tokens from 0 on, padded to the longest. */
export const paddedPositions = (lengths: readonly number[]): readonly (readonly number[])[] => {
  const longest = Math.max(1, ...lengths)
  return lengths.map((length) => Array.from({ length: longest }, (_, index) => (index < length ? index : -1)))
}
