// Single composite operators with random operands, to be run as they are and in plain operators.
import {
  type Attribute,
  type Attributes,
  elementCount,
  float,
  float32,
  type Graph,
  int,
  type Tensor,
} from "../../src/index.ts"
import { seeded } from "./random.ts"

/** One application of a composite operator. */
export interface CompositeCase {
  readonly name: string
  readonly op: string
  readonly domain?: string
  readonly attributes?: Readonly<Record<string, number | Attribute>>
  /** Operands in order; undefined for an absent one. */
  readonly operands: readonly (Tensor | undefined)[]
  /** Positions of operands that are constants of the graph. */
  readonly constants?: readonly number[]
  readonly outputs?: readonly number[]
  readonly opset?: number
}

/** Reproducible normal numbers. */
export const randomTensor = (dims: readonly number[], seed = 1, scale = 1): Tensor => {
  const { normal } = seeded(seed)
  return float32(
    dims,
    Float32Array.from({ length: elementCount(dims) }, () => scale * normal()),
  )
}

/** Attributes that are whole are integers unless they are given as what they are. */
const attributesOf = (given: Readonly<Record<string, number | Attribute>>): Attributes =>
  Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      typeof value === "number" ? (Number.isInteger(value) ? int(value) : float(value)) : value,
    ]),
  )

/** The graph of a case, and what to feed it; symbolic dimensions have a name of their own by operand. */
export const compositeGraph = (each: CompositeCase, symbolic: boolean) => {
  const outputs = each.outputs ?? [0]
  const isInput = (index: number) => each.constants?.includes(index) !== true
  const operands = each.operands.flatMap((tensor, index) =>
    tensor === undefined ? [] : [{ name: `operand${index}`, tensor, index }],
  )
  const results = Array.from({ length: Math.max(...outputs) + 1 }, (_, index) =>
    outputs.includes(index) ? `y${index}` : "",
  )
  const graph: Graph = {
    name: each.name,
    inputs: operands
      .filter(({ index }) => isInput(index))
      .map(({ name, tensor: { type, dims }, index }) => ({
        name,
        type,
        // Weights decide the last axis and that of heads; the others may be symbols
        dims: symbolic
          ? dims.map((dim, axis) => (axis < 2 && axis < dims.length - 1 && dims.length < 4 ? `s${index}.${axis}` : dim))
          : dims,
      })),
    outputs: results.filter((name) => name !== "").map((name) => ({ name, type: undefined, dims: undefined })),
    nodes: [
      {
        op: each.op,
        domain: each.domain ?? "com.microsoft",
        name: "composite",
        inputs: each.operands.map((tensor, index) => (tensor === undefined ? "" : `operand${index}`)),
        outputs: results,
        attributes: attributesOf(each.attributes ?? {}),
      },
    ],
    initializers: new Map(
      operands.filter(({ index }) => !isInput(index)).map(({ name, tensor }) => [name, tensor] as const),
    ),
    values: new Map(),
    opsets: new Map([
      ["", each.opset ?? 20],
      ["com.microsoft", 1],
    ]),
  }
  return { graph, feeds: Object.fromEntries(operands.map(({ name, tensor }) => [name, tensor])) }
}
