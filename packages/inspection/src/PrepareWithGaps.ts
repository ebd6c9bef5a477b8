import { prepareGraph } from "@tandem/models/exported/PrepareGraph"
import { chooseBranches, decompose, type Graph, operatorName, upgrade } from "@tandem/onnx"
import { decompositions } from "@tandem/onnx/composites/table"
import { isInspectionError } from "./Errors.ts"
import type { ModelGap } from "./InspectReport.ts"

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
    if (!isInspectionError(error)) throw error
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

/** The gap behind an error; what is no error of these packages is thrown on. */
export const failureGap = (graph: Graph, error: unknown): ModelGap => {
  if (!isInspectionError(error)) throw error
  const name = "node" in error ? (error.node ?? "") : ""
  const node = graph.nodes.find((each) => each.name === name)
  return { node: name, op: node === undefined ? "" : operatorName(node), reason: error.message.split("\n")[0] ?? "" }
}
