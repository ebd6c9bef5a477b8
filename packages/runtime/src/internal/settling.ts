import {
  deadCode,
  elementCount,
  type Graph,
  int64,
  intAttribute,
  type Node,
  staticDims,
  type Tensor,
  type Value,
} from "@tandem/onnx"
import { ShapeWalk } from "@tandem/onnx/passes/InferShapes"
import { ConstantWork, requirePossible } from "./largest.ts"

/** The shapes and constants of a graph of static inputs, as far as they are known yet. */
export class Settling {
  readonly #graph: Graph
  readonly #isConstant: ReadonlySet<string>
  readonly #walk: ShapeWalk
  readonly #work: ConstantWork
  /** Nodes whose results have been counted. */
  readonly #counted = new Set<Node>()
  /** Nodes that something is not yet known of, in order. */
  #pending: readonly Node[]
  /** Values of constants, initializers included; they grow from round to round. */
  readonly constants: Map<string, Tensor>
  /** Shapes that were not inferred but told. */
  readonly described: ReadonlyMap<string, readonly number[]>

  /** `isConstant` names what depends on constants and shapes alone. */
  constructor(
    graph: Graph,
    isConstant: ReadonlySet<string>,
    constants: Map<string, Tensor>,
    described: ReadonlyMap<string, readonly number[]>,
    work = new ConstantWork(),
  ) {
    this.#graph = graph
    this.#isConstant = isConstant
    this.constants = constants
    this.described = described
    this.#work = work
    const told = [...described].map(([name, dims]) => [name, { name, type: undefined, dims }] as const)
    this.#walk = new ShapeWalk({ ...graph, outputs: [], values: new Map(told) }, constants)
    this.#pending = graph.nodes
  }

  /**
   * Infers what can be from the constants so far. Gives the shape arithmetic whose values are wanted next, as a graph
   * without inputs; undefined where there is none.
   */
  infer(): Graph | undefined {
    const computable = new Set<string>()
    const arithmetic: Node[] = []
    const wanted = new Set<string>()
    const has = (name: string): boolean => name === "" || this.constants.has(name)
    const want = (names: readonly string[]): void => {
      for (const name of names) if (computable.has(name) && !has(name)) wanted.add(name)
    }
    this.#pending = this.#pending.filter((node) => {
      if (node.outputs.every(has)) return false
      if (!node.outputs.some((name) => this.#isConstant.has(name))) {
        const ready = node.inputs.every((name) => has(name) || !this.#isConstant.has(name))
        if (!ready) want(node.inputs)
        if (!ready) return true
        const results = this.#walk.visit(node)
        requirePossible(node, results)
        return !this.#isSettled(results)
      }
      const measured = this.#measure(node)
      if (measured !== undefined) {
        this.constants.set(node.outputs[0]!, measured)
        return false
      }
      if (isMeasure(node) && !this.#isConstant.has(node.inputs[0] ?? "")) return true
      const sizes = sizingOperands(node)
      if (!sizes.every(has)) want(sizes)
      else if (node.inputs.every((name) => has(name) || computable.has(name))) {
        this.#count(node)
        arithmetic.push(node)
        for (const name of node.outputs) computable.add(name)
      } else want(node.inputs)
      return true
    })
    want(this.#graph.outputs.map(({ name }) => name))
    if (wanted.size === 0) return undefined
    const outputs = [...wanted].map((name): Value => ({ name, type: undefined, dims: undefined }))
    return deadCode({ ...this.#graph, inputs: [], outputs, nodes: arithmetic, initializers: this.constants })
  }

  /** Values of the model whose shape is not known, in order. */
  unknown(): readonly string[] {
    return this.#pending.flatMap(({ outputs }) =>
      outputs.filter(
        (name) => name !== "" && !this.#isConstant.has(name) && staticDims(this.#walk.value(name).dims) === undefined,
      ),
    )
  }

  /** A node of unknown shape whose shape depends on values that change from batch to batch, if there is one. */
  dependsOnData(): Node | undefined {
    const unknown = new Set(this.unknown())
    const isFixed = (name: string): boolean => name === "" || this.constants.has(name) || this.#isConstant.has(name)
    return this.#pending.find(
      ({ op, domain, inputs, outputs }) =>
        domain === "" &&
        outputs.some((name) => unknown.has(name)) &&
        (shapedByData.has(op) || shapeOperands.get(op)?.some((at) => !isFixed(inputs[at] ?? "")) === true),
    )
  }

  /** The graph with what is constant so far as initializers. */
  folded(): Graph {
    return {
      ...this.#graph,
      nodes: this.#graph.nodes.filter(({ outputs }) => !outputs.every((name) => this.constants.has(name))),
      initializers: this.constants,
    }
  }

  /** A node may be computed again in a later round; it is refused in the first. */
  #count(node: Node): void {
    const results = this.#walk.visit(node)
    if (!this.#counted.has(node)) this.#work.add(node, results)
    this.#counted.add(node)
  }

  #isSettled(values: readonly Value[]): boolean {
    return values.every(({ name, dims }) => name === "" || staticDims(dims) !== undefined)
  }

  /** What `Shape` and `Size` give, where the operand's shape is known. */
  #measure(node: Node): Tensor | undefined {
    const dims = isMeasure(node) ? staticDims(this.#walk.value(node.inputs[0] ?? "").dims) : undefined
    if (dims === undefined) return undefined
    if (node.op === "Size") return int64([], [elementCount(dims)])
    const part = dims.slice(intAttribute(node, "start", 0), intAttribute(node, "end", dims.length))
    return int64([part.length], part)
  }
}

/** Operators whose results may be of any size, and the operands that say which: these are computed first. */
const sizing: ReadonlyMap<string, readonly number[]> = new Map([
  ["BlackmanWindow", [0]],
  ["ConstantOfShape", [0]],
  ["Expand", [1]],
  ["HammingWindow", [0]],
  ["HannWindow", [0]],
  ["OneHot", [1]],
  ["Pad", [1, 3]],
  ["Range", [0, 1, 2]],
  ["Resize", [2, 3]],
  ["Tile", [1]],
])

const sizingOperands = ({ op, domain, inputs }: Node): readonly string[] =>
  (domain === "" ? (sizing.get(op) ?? []) : []).map((at) => inputs[at] ?? "")

/** Operators that give more or less depending on what they read. */
const shapedByData = new Set(["Compress", "NonMaxSuppression", "NonZero", "Unique"])

/** Operands that say how large a result is. */
const shapeOperands: ReadonlyMap<string, readonly number[]> = new Map([
  ["ConstantOfShape", [0]],
  ["Expand", [1]],
  ["OneHot", [1]],
  ["Pad", [1, 3]],
  ["Range", [0, 1, 2]],
  ["Reshape", [1]],
  ["Slice", [1, 2, 3, 4]],
  ["Split", [1]],
  ["Tile", [1]],
  ["TopK", [1]],
])

const isMeasure = ({ op, domain }: Node): boolean => domain === "" && (op === "Shape" || op === "Size")
