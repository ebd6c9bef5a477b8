import { describeValue, type Graph, intAttribute, type Node, staticDims } from "../Graph.ts"
import { elementCount, toNumbers } from "../Tensor.ts"
import { axisAt } from "./application.ts"

/**
 * Some rows of a value, in an order; the rows of `[…, width]` are those of the matrix `[rows, width]` that has the same
 * elements.
 */
export interface RowSelection {
  /** Equal for selections that take the same rows. */
  readonly key: string
  /** Rows that there are. */
  readonly of: number
  /** Rows that are taken. */
  readonly count: number
  /** Their numbers, or the value `[…] int64` or `int32` that holds them, of `count` elements. */
  readonly rows: readonly number[] | string
  /**
   * The selection that this one comes of, where a `ScatterND` lies between: of rows that it wrote to the places `at`
   * `[of, 1]`. Places that it did not write have no row.
   */
  readonly through?: { readonly places: RowSelection; readonly at: string }
  /** The node that selects. */
  readonly origin: Node
}

/** Number of rows of a shape. */
export const rowCount = (dims: readonly number[]): number => elementCount(dims.slice(0, -1))

export const knownDims = (graph: Graph, name: string | undefined): readonly number[] | undefined =>
  name === undefined || name === "" ? undefined : staticDims(describeValue(graph, name).dims)

/** The rows that a node takes of its first operand, where it only takes rows, and fewer than there are. */
export const selectionOf = (graph: Graph, node: Node): RowSelection | undefined => {
  const dims = knownDims(graph, node.inputs[0])
  if (node.domain !== "" || dims === undefined || dims.length < 2) return undefined
  const of = rowCount(dims)
  const rows = selectors[node.op]?.(graph, node, dims)
  const out = knownDims(graph, node.outputs[0])
  if (rows === undefined || out === undefined || out.at(-1) !== dims.at(-1)) return undefined
  const count = rowCount(out)
  return count > 0 && count < of ? { key: `${of}: ${rows}`, of, count, rows, origin: node } : undefined
}

type Rows = readonly number[] | string
type Selector = (graph: Graph, node: Node, dims: readonly number[]) => Rows | undefined

const selectors: Readonly<Record<string, Selector>> = {
  Slice: (graph, node, dims) => {
    const [starts, ends, axes, steps = [1]] = [1, 2, 3, 4].map((index) => numbersAt(graph, node, index))
    const isKnown = (node.inputs[4] ?? "") === "" || numbersAt(graph, node, 4) !== undefined
    if (starts?.length !== 1 || ends?.length !== 1 || axes?.length !== 1 || !isKnown || steps[0]! <= 0) return undefined
    const axis = axisAt(axes[0]!, dims.length)
    const size = dims[axis] ?? 0
    const bound = (value: number): number => Math.min(size, Math.max(0, value < 0 ? value + size : value))
    const places: number[] = []
    for (let at = bound(starts[0]!); at < bound(ends[0]!); at += steps[0]!) places.push(at)
    return rowsAlong(dims, axis, places)
  },
  Gather: (graph, node, dims) => {
    const axis = axisAt(intAttribute(node, "axis", 0), dims.length)
    const places = numbersAt(graph, node, 1)
    if (places !== undefined) {
      return rowsAlong(
        dims,
        axis,
        places.map((place) => axisAt(place, dims[axis] ?? 0)),
      )
    }
    return axis === 0 && dims.length === 2 ? node.inputs[1] : undefined
  },
  GatherND: (graph, node, dims) => {
    const listed = knownDims(graph, node.inputs[1])?.at(-1) === 1
    return listed && dims.length === 2 && intAttribute(node, "batch_dims", 0) === 0 ? node.inputs[1] : undefined
  },
}

const numbersAt = (graph: Graph, node: Node, index: number): readonly number[] | undefined => {
  const constant = graph.initializers.get(node.inputs[index] ?? "")
  return constant === undefined ? undefined : toNumbers(constant)
}

/** Rows, in the result's order, when these places along an axis other than the last are taken. */
const rowsAlong = (dims: readonly number[], axis: number, places: readonly number[]): Rows | undefined => {
  if (axis >= dims.length - 1) return undefined
  const outer = elementCount(dims.slice(0, axis))
  const inner = elementCount(dims.slice(axis + 1, -1))
  return Array.from({ length: outer }, (_, lead) =>
    places.map((place) => Array.from({ length: inner }, (_, last) => (lead * dims[axis]! + place) * inner + last)),
  ).flat(2)
}
