import { describeValue, type Node, string } from "../Graph.ts"
import { elementCount } from "../Tensor.ts"
import type { Match, PatternGraph } from "./pattern.ts"

/** A polynomial in x and t: coefficients by the exponents of both. */
type Polynomial = ReadonlyMap<string, number>

const term = (x: number, t: number, factor: number): Polynomial => new Map([[`${x},${t}`, factor]])

const sum = (a: Polynomial, b: Polynomial, sign = 1): Polynomial => {
  const result = new Map(a)
  for (const [power, factor] of b) result.set(power, (result.get(power) ?? 0) + sign * factor)
  return result
}

/** Undefined beyond the number of terms that any form of GELU has. */
const product = (a: Polynomial, b: Polynomial | undefined): Polynomial | undefined => {
  if (b === undefined) return undefined
  const result = new Map<string, number>()
  for (const [left, p] of a) {
    for (const [right, q] of b) {
      const [x = 0, t = 0] = left.split(",").map(Number)
      const [u = 0, v = 0] = right.split(",").map(Number)
      const power = `${x + u},${t + v}`
      result.set(power, (result.get(power) ?? 0) + p * q)
    }
  }
  return result.size > 16 ? undefined : result
}

const arithmetic = new Set(["Add", "Sub", "Mul", "Div", "Neg", "Pow"])

/** No form of GELU needs a longer way from its input or its erf to the place where they meet. */
const depthLimit = 8

interface Variables {
  readonly x: string
  readonly t: string | undefined
}

/** A value as a polynomial in two others, as far as it is made by arithmetic; the nodes used go into `nodes`. */
const polynomial = (
  pattern: PatternGraph,
  name: string,
  variables: Variables,
  nodes: Set<Node>,
  depth = depthLimit,
): Polynomial | undefined => {
  if (name === variables.x) return term(1, 0, 1)
  if (name === variables.t) return term(0, 1, 1)
  const constant = pattern.scalar(name)
  if (constant !== undefined) return term(0, 0, constant)
  const node = pattern.maker(name)
  if (depth === 0 || node === undefined || !arithmetic.has(node.op)) return undefined
  nodes.add(node)
  const [left, right] = node.inputs.map((input) => polynomial(pattern, input, variables, nodes, depth - 1))
  if (left === undefined) return undefined
  if (node.op === "Neg") return sum(new Map(), left, -1)
  if (right === undefined) return undefined
  const number = right.size === 1 ? right.get("0,0") : undefined
  switch (node.op) {
    case "Add":
      return sum(left, right)
    case "Sub":
      return sum(left, right, -1)
    case "Mul":
      return product(left, right)
    case "Div":
      return number === undefined ? undefined : product(left, term(0, 0, 1 / number))
    default:
      if (number === 2) return product(left, left)
      return number === 3 ? product(left, product(left, left)) : undefined
  }
}

const forms = {
  Erf: { inner: term(1, 0, Math.SQRT1_2), approximate: "none" },
  Tanh: {
    inner: new Map([
      ["1,0", Math.sqrt(2 / Math.PI)],
      ["3,0", Math.sqrt(2 / Math.PI) * 0.044715],
    ]),
    approximate: "tanh",
  },
} as const

/** `x (1 + t) / 2`. */
const outer: Polynomial = new Map([
  ["1,0", 0.5],
  ["1,1", 0.5],
])

/**
 * GELU around an `Erf` or `Tanh` node, however its products and sums are ordered: both the argument and the result are
 * compared as polynomials in the input and in what the node gives.
 */
export const matchGelu = (pattern: PatternGraph, node: Node): Match | undefined => {
  if (node.domain !== "" || (node.op !== "Erf" && node.op !== "Tanh")) return undefined
  const { inner, approximate } = forms[node.op]
  const [argument = ""] = node.inputs
  const [t = ""] = node.outputs
  for (const x of operandsOf(pattern, argument)) {
    const before = new Set<Node>([node])
    const found = polynomial(pattern, argument, { x, t: undefined }, before)
    if (found === undefined || !equal(pattern, found, inner, before)) continue
    const after = climb(pattern, { x, t }, outer)
    if (after === undefined) continue
    const nodes = new Set([...before, ...after.nodes])
    const replacement: Node = {
      ...after.last,
      op: "Gelu",
      inputs: [x],
      attributes: approximate === "none" ? {} : { approximate: string(approximate) },
    }
    if (keepsRank(pattern, x, nodes)) return { nodes, replacement }
  }
  return undefined
}

/** Goes from t along its only reader until the value is `goal`. */
const climb = (
  pattern: PatternGraph,
  variables: { readonly x: string; readonly t: string },
  goal: Polynomial,
): { readonly nodes: ReadonlySet<Node>; readonly last: Node } | undefined => {
  let name = variables.t
  for (let step = 0; step < depthLimit; step++) {
    const readers = pattern.readers(name)
    const [last] = readers
    if (last === undefined || readers.length > 1) return undefined
    name = last.outputs[0] ?? ""
    const nodes = new Set<Node>()
    const found = polynomial(pattern, name, variables, nodes)
    if (found === undefined) return undefined
    if (equal(pattern, found, goal, nodes)) return { nodes, last }
  }
  return undefined
}

/** Values that an expression may be a polynomial of, nearest first. */
const operandsOf = (pattern: PatternGraph, name: string, depth = depthLimit): readonly string[] => {
  const found = new Set<string>()
  const visit = (value: string, left: number): void => {
    if (found.has(value) || pattern.scalar(value) !== undefined) return
    found.add(value)
    const node = pattern.maker(value)
    if (left > 0 && node !== undefined && arithmetic.has(node.op))
      for (const input of node.inputs) visit(input, left - 1)
  }
  visit(name, depth)
  return [...found]
}

const equal = (pattern: PatternGraph, a: Polynomial, b: Polynomial, nodes: ReadonlySet<Node>): boolean => {
  const half = [...nodes].flatMap((node) => node.inputs).find((name) => pattern.graph.initializers.has(name))
  return [...new Set([...a.keys(), ...b.keys()])].every((power) =>
    pattern.isClose(a.get(power) ?? 0, b.get(power) ?? 0, half),
  )
}

/** Constants of a higher rank than the input would have given the result their rank. */
const keepsRank = (pattern: PatternGraph, x: string, nodes: ReadonlySet<Node>): boolean => {
  const rank = describeValue(pattern.graph, x).dims?.length ?? 1
  return [...nodes].every((node) =>
    node.inputs.every((name) => {
      const dims = pattern.graph.initializers.get(name)?.dims
      return dims === undefined || (elementCount(dims) === 1 && dims.length <= rank)
    }),
  )
}
