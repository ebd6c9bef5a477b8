import {
  type Dims,
  type Graph,
  intAttribute,
  intsAttribute,
  type Node,
  reads,
  staticDims,
  type Value,
} from "../Graph.ts"
import { shapeBounds } from "../internal/infer.ts"
import { freshNames, renameReads } from "../internal/rewrite.ts"
import { typeNames } from "../internal/types.ts"
import { int64, type Tensor, toNumbers } from "../Tensor.ts"
import { deadCode } from "./DeadCode.ts"
import { ShapeWalk } from "./InferShapes.ts"

/**
 * Replaces what is known before a graph runs, and takes out what does nothing:
 * - `values`, by name, become constants, and the nodes that only served them go (names that no node makes are ignored);
 * - `Shape` of a value whose shape is known becomes a constant;
 * - `Identity`, `Dropout` outside training, and `Cast`, `Reshape`, `Transpose`, `Expand` and `Slice` that change neither
 *   type, shape nor order go; a `Reshape` of a `Reshape` becomes one.
 *
 * Names of inputs, outputs and weights stay; a folded output becomes an `Identity` of its constant. Results are equal.
 * Hand in no value that depends on a weight which is still to be trained. Operands that contradict each other end in
 * `InvalidGraph`.
 *
 * @example
 * ```ts
 * import { fold, GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const x = g.input("x", "float32", ["rows", 4])
 * const graph = fold(g.build({ y: g.neg(g.reshape(g.reshape(x, [-1, 2]), [-1, 4])) }))
 * console.log(graph.nodes.map((node) => node.op)) // [ "Reshape", "Neg" ]
 * ```
 */
export const fold = (graph: Graph, values: ReadonlyMap<string, Tensor> = new Map()): Graph => {
  const outputs = new Set(graph.outputs.map((value) => value.name))
  const fresh = freshNames(graph)
  const constants = new Map(graph.initializers)
  const walk = new ShapeWalk(graph, constants)
  const aliases = new Map<string, string>()
  const rename = (name: string): string => aliases.get(name) ?? name
  const reshapes = new Map<string, string>()
  const read = readCounts(graph, outputs)
  const nodes: Node[] = []

  /** Makes `name` stand for a constant; a graph output keeps its name. */
  const settle = (name: string, value: Tensor): void => {
    if (outputs.has(name)) {
      const constant = fresh(`${name}/folded`)
      constants.set(constant, value)
      nodes.push(identity(constant, name))
      walk.visit(identity(constant, name))
    } else constants.set(name, value)
  }

  for (const original of graph.nodes) {
    const node = aliases.size === 0 ? original : renameReads(original, rename)
    const given = node.outputs.filter((name) => values.has(name))
    if (given.length > 0) {
      for (const name of given) settle(name, values.get(name)!)
      if (node.outputs.every((name) => values.has(name) || read(name) === 0)) continue
      nodes.push({
        ...node,
        outputs: node.outputs.map((name) => (values.has(name) ? fresh(`${name}/unused`) : name)),
      })
      walk.visit(nodes.at(-1)!)
      continue
    }
    const results = walk.visit(node)
    const shape = knownShape(node, walk)
    const output = node.outputs[0] ?? ""
    const source = shape === undefined ? redundant(node, results, walk, constants, read) : undefined
    if (shape !== undefined) settle(output, shape)
    else if (source === undefined) nodes.push(mergeReshape(node, reshapes, constants))
    else if (outputs.has(output)) nodes.push({ ...identity(source, output), name: node.name })
    else aliases.set(output, source)
  }
  return deadCode({ ...graph, nodes, initializers: constants })
}

const identity = (from: string, to: string): Node => ({
  op: "Identity",
  domain: "",
  name: to,
  inputs: [from],
  outputs: [to],
  attributes: {},
})

/** How often a value is read by nodes, subgraphs or as an output. */
const readCounts = (graph: Graph, outputs: ReadonlySet<string>): ((name: string) => number) => {
  const counts = new Map<string, number>()
  const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)
  for (const name of outputs) count(name)
  for (const node of graph.nodes) for (const name of reads(node)) count(name)
  return (name) => counts.get(name) ?? 0
}

/** What a `Shape` node gives, where it is known. */
const knownShape = (node: Node, walk: ShapeWalk): Tensor | undefined => {
  if (node.op !== "Shape" || node.domain !== "") return undefined
  const dims = walk.value(node.inputs[0] ?? "").dims
  const known = dims === undefined ? undefined : staticDims(dims.slice(...shapeBounds(node, dims.length)))
  return known === undefined ? undefined : int64([known.length], known)
}

/** The operand that a node hands on unchanged, if it does. */
const redundant = (
  node: Node,
  results: readonly Value[],
  walk: ShapeWalk,
  constants: ReadonlyMap<string, Tensor>,
  read: (name: string) => number,
): string | undefined => {
  const name = node.inputs[0]
  if (node.domain !== "" || name === undefined || name === "") return undefined
  const x = walk.value(name)
  const numbers = (index: number): readonly number[] | undefined => {
    const constant = constants.get(node.inputs[index] ?? "")
    return constant === undefined ? undefined : toNumbers(constant)
  }
  const keeps = (): boolean => {
    switch (node.op) {
      case "Identity":
        return true
      case "Dropout": {
        const training = node.inputs[2] ?? ""
        return (training === "" || numbers(2)?.[0] === 0) && read(node.outputs[1] ?? "") === 0
      }
      case "Cast":
        return x.type !== undefined && typeNames.get(intAttribute(node, "to", 0)) === x.type
      case "Transpose":
        return intsAttribute(node, "perm")?.every((axis, index) => axis === index) ?? (x.dims?.length ?? 2) < 2
      case "Reshape":
      case "Expand":
        return sameDims(x.dims, results[0]?.dims)
      case "Slice":
        return keepsAll(x.dims, [1, 2, 3, 4].map(numbers), node)
      default:
        return false
    }
  }
  return keeps() ? name : undefined
}

const sameDims = (a: Dims | undefined, b: Dims | undefined): boolean =>
  a !== undefined &&
  b !== undefined &&
  a.length === b.length &&
  a.every((dim, index) => dim === b[index] && (typeof dim === "number" || !dim.startsWith("?")))

/** Whether a `Slice` with these starts, ends, axes and steps takes everything in order. */
const keepsAll = (
  dims: Dims | undefined,
  [starts, ends, axes, steps]: readonly (readonly number[] | undefined)[],
  node: Node,
): boolean => {
  const unknown = (index: number, value: unknown) => (node.inputs[index] ?? "") !== "" && value === undefined
  if (starts === undefined || ends === undefined || unknown(3, axes) || unknown(4, steps)) return false
  return starts.every((start, index) => {
    const end = ends[index] ?? 0
    const axis = axes?.[index] ?? index
    const size = dims?.at(axis)
    const whole = end >= 2 ** 31 - 1 || (typeof size === "number" && end >= size)
    return start === 0 && whole && (steps?.[index] ?? 1) === 1
  })
}

/** `Reshape(Reshape(x))` as one, where the second shape does not lean on the first. */
const mergeReshape = (node: Node, reshapes: Map<string, string>, constants: ReadonlyMap<string, Tensor>): Node => {
  if (node.op !== "Reshape" || node.domain !== "") return node
  const [x = "", target = ""] = node.inputs
  const shape = constants.get(target)
  const from = shape === undefined || toNumbers(shape).includes(0) ? undefined : reshapes.get(x)
  reshapes.set(node.outputs[0] ?? "", from ?? x)
  return from === undefined ? node : { ...node, inputs: [from, target] }
}
