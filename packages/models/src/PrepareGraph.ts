import {
  bool,
  chooseBranches,
  deadCode,
  decompose,
  fuse,
  type Graph,
  type Node,
  prepare,
  reads,
  upgrade,
} from "@tandem/onnx"
import { decompositions } from "@tandem/onnx/composites/table"
import { isModelError } from "./Errors.ts"
import type { ModelGap } from "./InspectReport.ts"

/** Merged decoders choose by this input whether they read a cache; training starts without one. */
const withoutCache = new Map([["use_cache_branch", bool([1], [false])]])

/**
 * A foreign model's graph in the form that training works on (`prepare`), of a decoder without a cache. Names of inputs,
 * outputs and weights stay.
 */
export const prepareGraph = (graph: Graph): Graph => prepare(graph, { values: withoutCache })

/** A foreign model's graph as inference runs it: composite operators stay, because ONNX Runtime has kernels for them. */
export const prepareInference = (graph: Graph): Graph => fuse(chooseBranches(upgrade(graph)))

/** A graph as far as it can be prepared, and what could not. */
export interface PartlyPrepared {
  readonly graph: Graph
  readonly gaps: readonly ModelGap[]
}

/** `prepareGraph`, but what cannot be prepared stays as it is and is listed. */
export const prepareWithGaps = (graph: Graph): PartlyPrepared => {
  const gaps: ModelGap[] = []
  const attempt = (from: Graph, body: () => Graph): Graph => {
    try {
      return body()
    } catch (error) {
      gaps.push(failureGap(from, error))
      return from
    }
  }
  try {
    return { graph: prepareGraph(graph), gaps }
  } catch (error) {
    if (!isModelError(error)) throw error
  }
  const upgraded = attempt(graph, () => upgrade(graph))
  if (gaps.length > 0) return { graph, gaps }
  const chosen = attempt(upgraded, () => chooseBranches(upgraded))
  // Without the composites that cannot be expressed, the others still can.
  const table = { ...decompositions }
  for (;;) {
    const before = gaps.length
    const plain = attempt(chosen, () => decompose(chosen, table))
    const op = gaps.length > before ? gaps.at(-1)?.op : undefined
    if (op === undefined || !Object.hasOwn(table, op)) return { graph: plain, gaps }
    delete table[op]
  }
}

const keyOf = ({ op, domain }: Node): string => (domain === "" ? op : `${domain}.${op}`)

/** The gap behind an error; what is no error of these packages is thrown on. */
export const failureGap = (graph: Graph, error: unknown): ModelGap => {
  if (!isModelError(error)) throw error
  const name = "node" in error ? (error.node ?? "") : ""
  const node = graph.nodes.find((each) => each.name === name)
  return { node: name, op: node === undefined ? "" : keyOf(node), reason: error.message.split("\n")[0] ?? "" }
}

/** The part of a graph that computes some of its outputs, with the inputs that this part reads. */
export const onlyOutputs = (graph: Graph, names: readonly string[]): Graph => {
  const part = deadCode({ ...graph, outputs: graph.outputs.filter(({ name }) => names.includes(name)) })
  const read = new Set([...part.nodes.flatMap(reads), ...names])
  return { ...part, inputs: part.inputs.filter(({ name }) => read.has(name)) }
}
