import { float, type Node } from "../Graph.ts"
import { type Describe, pairs } from "./layerNormPattern.ts"
import type { Match, PatternGraph } from "./pattern.ts"

/**
 * `x · sigmoid(α · x)`: SiLU where α is not there, OpenAI's GELU where it is 1.702, factors in either order. ONNX
 * Runtime's `QuickGelu` stands for it: one pass over the elements, and a gradient that stores nothing but x and y.
 */
export const matchSilu = (pattern: PatternGraph, node: Node, describe: Describe): Match | undefined => {
  if (node.domain !== "" || node.op !== "Mul") return undefined
  for (const [x = "", gate] of pairs(node)) {
    const sigmoid = pattern.maker(gate, "Sigmoid")
    if (sigmoid === undefined || describe(x).type !== "float32") continue
    const inner = scaleOf(pattern, sigmoid.inputs[0], x)
    if (inner === undefined) continue
    const replacement: Node = {
      ...node,
      op: "QuickGelu",
      domain: "com.microsoft",
      inputs: [x],
      attributes: { alpha: float(inner.alpha) },
    }
    return { nodes: new Set([node, sigmoid, ...inner.nodes]), replacement }
  }
  return undefined
}

/** The α for which a value is α · x. */
const scaleOf = (
  pattern: PatternGraph,
  name: string | undefined,
  x: string,
): { readonly alpha: number; readonly nodes: readonly Node[] } | undefined => {
  if (name === x) return { alpha: 1, nodes: [] }
  const scaled = pattern.maker(name, "Mul")
  for (const [value, factor] of scaled === undefined ? [] : pairs(scaled)) {
    const alpha = pattern.scalar(factor)
    if (value === x && alpha !== undefined && pattern.graph.initializers.get(factor ?? "")?.dims.length === 0) {
      return { alpha, nodes: [scaled!] }
    }
  }
  return undefined
}
