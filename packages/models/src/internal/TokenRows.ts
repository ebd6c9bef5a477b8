import { type GraphBuilder, int, int64, type Value } from "@tandem/onnx"

/** Where token-wise work of a batch `[batch, tokens]` finds its rows. */
export interface TokenRows {
  readonly count: number
  /** Of one value (or row) for each place of the batch, those that are worked on. */
  readonly pick: (places: Value) => Value
  /** Puts rows `[count, width]` back to their places `[places, width]`; places without a row are zero. */
  readonly spread: (rows: Value, width: number) => Value
  /** The rows `[wanted, width]` that stand for `wanted` distinct places `[wanted] int64`. */
  readonly at: (rows: Value, places: Value) => Value
}

export interface TokenRowsShape {
  /** Places of the batch. */
  readonly places: number
  /** Number of places that are worked on; all where undefined. */
  readonly packedRows: number | undefined
}

/** The input that names the places of packed rows. */
const packedInput = "packed_rows"

/** Rows are taken by GatherND, whose gradient is one write for each: no place is taken twice. */
export const takeRows = (g: GraphBuilder, rows: Value, at: Value): Value =>
  rows.type === "float32" ? g.op("GatherND", [rows, g.reshape(at, [Number(at.dims?.[0]), 1])])[0]! : g.gather(rows, at)

/** For each of so many places the number of the row that stands for it, where rows stand for `at` `[rows] int64`; else 0. */
export const numberRows = (g: GraphBuilder, at: Value, places: number): Value => {
  const count = Number(at.dims?.[0])
  const order = g.constant(int64([count], [...Array(count).keys()]))
  return g.op("ScatterND", [g.zeros("int64", [places]), g.reshape(at, [count, 1]), order])[0]!
}

/**
 * Every place of the batch is a row, or, with `packedRows`, only those that the input of that name lists: each real
 * token once, and distinct padding places for what is left.
 */
export const tokenRows = (
  g: GraphBuilder,
  { places, packedRows: count }: TokenRowsShape,
  input = packedInput,
): TokenRows => {
  if (count === undefined) {
    return {
      count: places,
      pick: (values) => values,
      spread: (rows) => rows,
      at: (rows, wanted) => takeRows(g, rows, wanted),
    }
  }
  const packed = g.input(input, "int64", [count])
  const indices = g.reshape(packed, [count, 1])
  return {
    count,
    pick: (values) => takeRows(g, values, packed),
    spread: (rows, width) => g.op("ScatterND", [g.zeros("float32", [places, width]), indices, rows])[0]!,
    at: (rows, wanted) => takeRows(g, rows, g.gather(numberRows(g, packed, places), wanted)),
  }
}

/** The position of each token: how many real ones stand before it; 0 at padding. `[batch, tokens] int64` both. */
export const maskPositions = (g: GraphBuilder, mask: Value): Value => {
  const known = [{ type: "int64" as const, dims: mask.dims }]
  const count = g.op("CumSum", [mask, g.constant(int64([], [1]))], {
    attributes: { exclusive: int(1) },
    outputs: known,
  })
  return g.mul(count[0]!, mask)
}
