import { float, int, type Node } from "../Graph.ts"
import { type Describe, fits, lastAxes, type Normalized, pairs, powerOf } from "./layerNormPattern.ts"
import type { Match, PatternGraph } from "./pattern.ts"

/**
 * `x / √(mean(x²) + ε) · scale`, with the square as `Pow` or `Mul`, the division as such or as a product with the
 * reciprocal, and operands of sums and products in either order; the scale may be computed, as in `1 + weight`.
 * ONNX Runtime's `SimplifiedLayerNormalization` stands for it, which is of ONNX's own domain and of every version.
 */
export const matchRmsNormalization = (pattern: PatternGraph, node: Node, describe: Describe): Match | undefined => {
  if (node.domain !== "" || node.op !== "Mul") return undefined
  for (const [normal, scale = ""] of pairs(node)) {
    const found = normalized(pattern, normal, describe)
    if (found === undefined || !fits(describe, found, scale, "")) continue
    const replacement: Node = {
      ...node,
      op: "SimplifiedLayerNormalization",
      inputs: [found.x, scale],
      attributes: { axis: int(found.axis), epsilon: float(found.epsilon) },
    }
    return { nodes: new Set([node, ...found.nodes]), replacement }
  }
  return undefined
}

const normalized = (pattern: PatternGraph, name: string | undefined, describe: Describe): Normalized | undefined => {
  const node = pattern.maker(name)
  if (node === undefined || (node.op !== "Div" && node.op !== "Mul")) return undefined
  const power = node.op === "Div" ? 0.5 : -0.5
  for (const [x, divisor] of node.op === "Div" ? pairs(node).slice(0, 1) : pairs(node)) {
    const root = powerOf(pattern, divisor, power)
    const square = x === undefined ? undefined : meanSquare(pattern, root?.base, x)
    if (x === undefined || root === undefined || square === undefined) continue
    const axis = lastAxes(square.axes, describe(x).dims?.length)
    if (axis === undefined) continue
    return { x, axis, epsilon: square.epsilon, nodes: [node, ...root.nodes, ...square.nodes] }
  }
  return undefined
}

interface MeanSquare {
  readonly epsilon: number
  readonly axes: readonly number[]
  readonly nodes: readonly Node[]
}

/** `mean(x²) + ε`. */
const meanSquare = (pattern: PatternGraph, name: string | undefined, x: string): MeanSquare | undefined => {
  const shifted = pattern.maker(name, "Add")
  if (shifted === undefined) return undefined
  for (const [value, constant] of pairs(shifted)) {
    const epsilon = pattern.scalar(constant)
    const mean = pattern.maker(value, "ReduceMean")
    const square = pattern.maker(mean?.inputs[0])
    if (epsilon === undefined || mean === undefined || square === undefined) continue
    const [a, b] = square.inputs
    const squares = square.op === "Mul" ? a === b : square.op === "Pow" && pattern.scalar(b) === 2
    const axes = pattern.keptAxes(mean)
    if (a !== x || !squares || axes === undefined) continue
    return { epsilon, axes, nodes: [shifted, mean, square] }
  }
  return undefined
}
