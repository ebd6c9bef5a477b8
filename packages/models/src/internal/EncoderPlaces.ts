import { type GraphBuilder, int64, type Value } from "@tandem/onnx"
import type { EncoderShape, LengthGroup } from "../encoder/Encoder.ts"
import { numberRows, takeRows } from "./TokenRows.ts"

/**
 * Where an encoder of one shape finds its texts. Token-wise work is done on rows; attention reads and writes the places
 * of the groups, one group after another, each `rows · tokens` long; what comes in and goes out has a place for each
 * token of the batch, `row · tokens + column`.
 */
export interface EncoderPlaces {
  /** Rows of token-wise work. */
  readonly rows: number
  /** Of one whole number for each token of the batch, those of the rows. */
  readonly pick: (values: Value) => Value
  /** Adds to each row `[rows, hidden]` the embedding of its position. */
  readonly addPositions: (x: Value, table: Value) => Value
  /** From rows `[rows, width]` to the groups' places `[Σ rows · tokens, width]`; places without a row are zero. */
  readonly toGroups: (rows: Value, width: number) => Value
  /** From the groups' places back to rows. */
  readonly fromGroups: (places: Value) => Value
  /** Of rows those of the texts' first tokens, `[batch, width]`. */
  readonly firsts: (rows: Value) => Value
  /** From rows to the batch's tokens `[batch · tokens, width]`; those without a row are zero. */
  readonly toBatch: (rows: Value, width: number) => Value
}

/** The groups of a shape; the whole batch where it names none. */
export const lengthGroupsOf = ({ batch, tokens, groups = [{ rows: batch, tokens }] }: EncoderShape) => groups

/** Places of the groups together. */
export const placesOf = (shape: EncoderShape): number =>
  lengthGroupsOf(shape).reduce((sum, { rows, tokens }) => sum + rows * tokens, 0)

export const encoderPlaces = (g: GraphBuilder, shape: EncoderShape): EncoderPlaces => {
  const { batch, tokens, packedRows } = shape
  const count = batch * tokens
  const total = placesOf(shape)
  if (packedRows !== undefined) {
    const packed = g.input("packed_rows", "int64", [packedRows])
    const grouped = total === count ? packed : g.gather(g.constant(int64([count], groupPlaces(shape))), packed)
    return listed(g, shape, { rows: packedRows, at: packed, total, grouped })
  }
  if (total === count) return everyToken(g, shape)
  const at = g.constant(int64([total], batchPlaces(shape)))
  return {
    ...listed(g, shape, { rows: total, at, total, grouped: at }),
    toGroups: (rows) => rows,
    fromGroups: (x) => x,
  }
}

/** Every token of the batch is a row and a place of the only length that there is. */
const everyToken = (g: GraphBuilder, { batch, tokens }: EncoderShape): EncoderPlaces => ({
  rows: batch * tokens,
  pick: (values) => values,
  addPositions: (x, table) => {
    const width = Number(table.dims?.[1])
    const grid = g.reshape(x, [batch, tokens, width])
    return g.reshape(g.add(grid, g.slice(table, 0, 0, tokens)), [batch * tokens, width])
  },
  toGroups: (rows) => rows,
  fromGroups: (places) => places,
  firsts: (rows) => takeRows(g, rows, firstPlaces(g, batch, tokens)),
  toBatch: (rows) => rows,
})

/** The places of the texts' first tokens in the batch. */
const firstPlaces = (g: GraphBuilder, batch: number, tokens: number): Value =>
  g.constant(
    int64(
      [batch],
      Array.from({ length: batch }, (_, row) => row * tokens),
    ),
  )

/** Rows that stand for the tokens `at` `[rows] int64`, whose places in the groups are `grouped`. */
const listed = (
  g: GraphBuilder,
  { batch, tokens }: EncoderShape,
  { rows, at, total, grouped }: { rows: number; at: Value; total: number; grouped: Value },
): EncoderPlaces => {
  const scatter = (places: Value, size: number, values: Value, width: number): Value =>
    g.op("ScatterND", [g.zeros("float32", [size, width]), g.reshape(places, [rows, 1]), values])[0]!
  return {
    rows,
    pick: (values) => g.gather(values, at),
    addPositions: (x, table) => g.add(x, g.gather(table, g.op("Mod", [at, g.constant(int64([], [tokens]))])[0]!)),
    toGroups: (values, width) => scatter(grouped, total, values, width),
    // GatherND at the places that ScatterND writes: none is read twice, so its gradient is one write for each.
    fromGroups: (places) => takeRows(g, places, grouped),
    firsts: (values) => {
      const rowOf = numberRows(g, at, batch * tokens)
      return takeRows(g, values, g.gather(rowOf, firstPlaces(g, batch, tokens)))
    },
    toBatch: (values, width) => scatter(at, batch * tokens, values, width),
  }
}

/** Calls `visit` with each token that lies within its group's length: its place in the batch and in the groups. */
const visitPlaces = (shape: EncoderShape, visit: (inBatch: number, inGroups: number) => void): void => {
  let row = 0
  let inGroups = 0
  for (const group of lengthGroupsOf(shape)) {
    for (const end = row + group.rows; row < end; row++)
      for (let column = 0; column < group.tokens; column++) visit(row * shape.tokens + column, inGroups++)
  }
}

/** For each place of the groups its place in the batch. */
const batchPlaces = (shape: EncoderShape): readonly number[] => {
  const places: number[] = []
  visitPlaces(shape, (inBatch) => places.push(inBatch))
  return places
}

/** For each token of the batch its place in the groups; beyond all of them where its group is shorter. */
const groupPlaces = (shape: EncoderShape): readonly number[] => {
  const places = new Array<number>(shape.batch * shape.tokens).fill(placesOf(shape))
  visitPlaces(shape, (inBatch, inGroups) => {
    places[inBatch] = inGroups
  })
  return places
}

/** Texts that attend together: a part of a group, from the text `from` of the batch on. */
export interface AttentionChunk extends LengthGroup {
  readonly from: number
}

/**
 * Attention scores that are formed at once, as far as texts are not longer: 16 MiB stay in a processor's cache from one
 * pass over them to the next, and allocators give such blocks again without asking the system.
 */
const scoresAtOnce = 2 ** 22

/** The groups in pieces of few enough scores. */
export const attentionChunks = (shape: EncoderShape, heads: number): readonly AttentionChunk[] => {
  let from = 0
  return lengthGroupsOf(shape).flatMap(({ rows, tokens }) => {
    const pieces = Math.ceil(rows / Math.max(1, Math.floor(scoresAtOnce / (heads * tokens * tokens))))
    return Array.from({ length: pieces }, (_, piece): AttentionChunk => {
      const size = Math.floor((rows * (piece + 1)) / pieces) - Math.floor((rows * piece) / pieces)
      from += size
      return { rows: size, tokens, from: from - size }
    })
  })
}
