import { type Graph, ints, type Node, type Tensor } from "@tandem/onnx"
import { toFloat32 } from "../Floats.ts"
import { transposeLast } from "./MatchParameters.ts"

/** The weight that another one is a copy of. */
export interface TiedWeight {
  readonly name: string
  /** Whether the copy holds it with rows and columns swapped. */
  readonly transposed: boolean
}

/** Fewer different values than this could be equal by chance, or by the way weights begin. */
const fewest = 8

/**
 * Weights that a file holds several times, by the name of each copy: exporters write a shared weight anew for each of its
 * uses, transposed where a product wants it so (ALBERT's layers, embeddings that are the output layer, too). Copies are
 * told by their values: all equal to the last bit in one shape, or in the transposed one, and of at least 8 different
 * values. The first in the file's order is the weight, the others follow it.
 */
export const tiedWeights = (weights: ReadonlyMap<string, Tensor>): ReadonlyMap<string, TiedWeight> => {
  const alike = new Map<string, string[]>()
  for (const [name, value] of weights) {
    if (value.type !== "float32" || !isVaried(value)) continue
    // Transposing leaves the first and the last element where they are.
    const key = [value.dims.toSorted((a, b) => a - b), value.data[0], value.data.at(-1)].join()
    alike.set(key, [...(alike.get(key) ?? []), name])
  }
  const tied = new Map<string, TiedWeight>()
  for (const names of alike.values()) {
    for (const [index, name] of names.entries()) {
      for (const other of tied.has(name) ? [] : names.slice(index + 1)) {
        const transposed = tied.has(other) ? undefined : copied(weights.get(name)!, weights.get(other)!)
        if (transposed !== undefined) tied.set(other, { name, transposed })
      }
    }
  }
  return tied
}

const isVaried = ({ data }: Tensor): boolean => {
  const values = new Set<unknown>()
  for (let i = 0; i < data.length && values.size < fewest; i++) values.add(data[i])
  return values.size === fewest
}

/** Whether the second tensor is the first one turned (true) or as it is (false); undefined where it is another one. */
const copied = (weight: Tensor, copy: Tensor): boolean | undefined => {
  const as = (value: Tensor): boolean =>
    `${value.dims}` === `${copy.dims}` && value.data.every((element, i) => element === copy.data[i])
  if (as(weight)) return false
  return weight.dims.length === 2 && `${weight.dims.toReversed()}` === `${copy.dims}` && as(turned(weight))
    ? true
    : undefined
}

const turned = (weight: Tensor): Tensor => {
  const { dims, data } = transposeLast(toFloat32(weight, "weight"))
  return { type: "float32", dims: data === weight.data ? weight.dims.toReversed() : dims, data }
}

/** The graph in which each copy follows from its weight, so that both are trained as one. */
export const tieWeights = (graph: Graph, tied: ReadonlyMap<string, TiedWeight>): Graph => {
  const used = [...tied].filter(([name]) => graph.initializers.has(name))
  if (used.length === 0) return graph
  const nodes = used.map(
    ([copy, { name, transposed }]): Node => ({
      op: transposed ? "Transpose" : "Identity",
      domain: "",
      name: `tied.${copy}`,
      inputs: [name],
      outputs: [copy],
      attributes: transposed ? { perm: ints([1, 0]) } : {},
    }),
  )
  return {
    ...graph,
    nodes: [...nodes, ...graph.nodes],
    initializers: new Map([...graph.initializers].filter(([name]) => !tied.has(name))),
  }
}

/** The weights with the copies of each, as the file holds them. */
export const withCopies = (
  weights: ReadonlyMap<string, Tensor>,
  tied: ReadonlyMap<string, TiedWeight>,
): ReadonlyMap<string, Tensor> => {
  const copies = [...tied].flatMap(([copy, { name, transposed }]): (readonly [string, Tensor])[] => {
    const weight = weights.get(name)
    return weight === undefined ? [] : [[copy, transposed ? turned(weight) : weight]]
  })
  return new Map([...weights, ...copies])
}
