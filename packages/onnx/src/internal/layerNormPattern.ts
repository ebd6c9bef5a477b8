import { type Dims, float, int, type Node, type Value } from "../Graph.ts"
import type { Match, PatternGraph } from "./pattern.ts"

export interface Normalized {
  readonly x: string
  /** The first normalized axis, counted from the end. */
  readonly axis: number
  readonly epsilon: number
  readonly nodes: readonly Node[]
}

export type Describe = (name: string) => Value

/**
 * `(x − mean(x)) / √(mean((x − mean(x))²) + ε) · scale + bias`, with the square as `Pow` or `Mul`, the division as such
 * or as a product with the reciprocal, and operands of sums and products in either order; `bias` may be missing.
 */
export const matchLayerNormalization = (pattern: PatternGraph, node: Node, describe: Describe): Match | undefined => {
  if (node.domain !== "") return undefined
  for (const [product, bias] of node.op === "Add" ? pairs(node) : node.op === "Mul" ? [[node.outputs[0], ""]] : []) {
    const scaled = pattern.maker(product, "Mul")
    if (scaled === undefined || bias === undefined) continue
    for (const [normal, scale = ""] of pairs(scaled)) {
      const found = normalized(pattern, normal, describe)
      if (found === undefined || !fits(describe, found, scale, bias)) continue
      const replacement: Node = {
        ...node,
        op: "LayerNormalization",
        inputs: bias === "" ? [found.x, scale] : [found.x, scale, bias],
        attributes: { axis: int(found.axis), epsilon: float(found.epsilon) },
      }
      return { nodes: new Set([node, scaled, ...found.nodes]), replacement }
    }
  }
  return undefined
}

/** Both orders of a node's two operands. */
export const pairs = ({ inputs: [a, b] }: Node): readonly (readonly [string | undefined, string | undefined])[] => [
  [a, b],
  [b, a],
]

const normalized = (pattern: PatternGraph, name: string | undefined, describe: Describe): Normalized | undefined => {
  const node = pattern.maker(name)
  if (node === undefined) return undefined
  const splits =
    node.op === "Div"
      ? [[node.inputs[0], node.inputs[1], 0.5] as const]
      : node.op === "Mul"
        ? pairs(node).map(([a, b]) => [a, b, -0.5] as const)
        : []
  for (const [numerator, denominator, power] of splits) {
    const root = powerOf(pattern, denominator, power)
    const centre = centered(pattern, numerator)
    if (root === undefined || centre === undefined) continue
    const variance = shiftedVariance(pattern, root.base)
    if (variance === undefined || variance.x !== centre.x) continue
    const rank = describe(centre.x).dims?.length
    const axis = lastAxes(centre.axes, rank)
    if (axis === undefined || variance.reductions.some((axes) => lastAxes(axes, rank) !== axis)) continue
    const nodes = [node, ...root.nodes, ...centre.nodes, ...variance.nodes]
    return { x: centre.x, axis, epsilon: variance.epsilon, nodes }
  }
  return undefined
}

/** The value whose square root (power 0.5) or inverse square root (−0.5) a value is. */
export const powerOf = (
  pattern: PatternGraph,
  name: string | undefined,
  power: number,
): { readonly base: string | undefined; readonly nodes: readonly Node[] } | undefined => {
  const node = pattern.maker(name)
  if (node === undefined) return undefined
  if (node.op === "Pow" && pattern.scalar(node.inputs[1]) === power) return { base: node.inputs[0], nodes: [node] }
  if (power > 0) return node.op === "Sqrt" ? { base: node.inputs[0], nodes: [node] } : undefined
  const inverted =
    node.op === "Reciprocal"
      ? node.inputs[0]
      : node.op === "Div" && pattern.scalar(node.inputs[0]) === 1
        ? node.inputs[1]
        : undefined
  const root = powerOf(pattern, inverted, -power)
  return root === undefined ? undefined : { base: root.base, nodes: [node, ...root.nodes] }
}

interface Centered {
  readonly x: string
  readonly axes: readonly number[]
  readonly nodes: readonly Node[]
}

/** `x − mean(x)`. */
const centered = (pattern: PatternGraph, name: string | undefined): Centered | undefined => {
  const difference = pattern.maker(name, "Sub")
  const mean = pattern.maker(difference?.inputs[1], "ReduceMean")
  const x = difference?.inputs[0]
  if (difference === undefined || mean === undefined || x === undefined || mean.inputs[0] !== x) return undefined
  const axes = pattern.keptAxes(mean)
  return axes === undefined ? undefined : { x, axes, nodes: [difference, mean] }
}

interface Variance {
  readonly x: string
  readonly epsilon: number
  /** The axes of both means. */
  readonly reductions: readonly (readonly number[])[]
  readonly nodes: readonly Node[]
}

/** `mean((x − mean(x))²) + ε`. */
const shiftedVariance = (pattern: PatternGraph, name: string | undefined): Variance | undefined => {
  const shifted = pattern.maker(name, "Add")
  if (shifted === undefined) return undefined
  for (const [variance, constant] of pairs(shifted)) {
    const epsilon = pattern.scalar(constant)
    const mean = pattern.maker(variance, "ReduceMean")
    const square = pattern.maker(mean?.inputs[0])
    if (epsilon === undefined || mean === undefined || square === undefined) continue
    const [a, b] = square.inputs
    const squares = square.op === "Mul" ? a === b : square.op === "Pow" && pattern.scalar(b) === 2
    const centre = squares ? centered(pattern, a) : undefined
    const axes = pattern.keptAxes(mean)
    if (centre === undefined || axes === undefined) continue
    const nodes = [shifted, mean, square, ...centre.nodes]
    return { x: centre.x, epsilon, reductions: [centre.axes, axes], nodes }
  }
  return undefined
}

/** The first of some last axes counted from the end; undefined where they are others. */
export const lastAxes = (axes: readonly number[], rank: number | undefined): number | undefined => {
  const fromEnd = axes.map((axis) => (axis < 0 ? axis : rank === undefined ? 0 : axis - rank)).sort((a, b) => b - a)
  return fromEnd.length > 0 && fromEnd.every((axis, index) => axis === -1 - index) ? fromEnd.at(-1) : undefined
}

/** Whether scale and bias have the shape of what is normalized, so that they do not widen the result. */
export const fits = (describe: Describe, { x, axis }: Normalized, scale: string, bias: string): boolean => {
  const wanted: Dims | undefined = describe(x).dims?.slice(axis)
  const own = describe(scale).dims
  if (own === undefined || own.length !== -axis || own.includes(1) !== (wanted?.includes(1) ?? false)) return false
  const same = (a: Dims | undefined, b: Dims): boolean =>
    a?.length === b.length &&
    a.every((dim, index) => dim === b[index] || typeof dim === "string" || typeof b[index] === "string")
  return (wanted === undefined || same(wanted, own)) && (bias === "" || same(describe(bias).dims, own))
}
