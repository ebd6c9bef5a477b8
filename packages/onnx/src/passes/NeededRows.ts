import { describeValue, type Graph, type Node, producers, reads, type Value } from "../Graph.ts"
import { builderOpset } from "../GraphBuilder.ts"
import { freshNames } from "../internal/rewrite.ts"
import { type RowSelection, selectionOf } from "../internal/rowSelection.ts"
import { type RowWise, rowProducts, rowWiseOf } from "../internal/rowWise.ts"
import { type ElementType, float32, int64, type Tensor } from "../Tensor.ts"
import { deadCode } from "./DeadCode.ts"

/**
 * Computes no rows that nothing reads. Where a value `[…, width]` is only read through a `Slice`, `Gather` or `GatherND`
 * of some of its rows (the first token of each text, the places of an answer), the selection moves up through what
 * works row by row: products with a matrix, sums and products with a row or with the same rows, activations, norms over
 * the last axis, reshapes, and rows scattered among zeros. It stops where all rows are needed, such as before attention;
 * there the rows are gathered. A selection that saves no product stays where it is.
 *
 * Names of inputs, outputs and weights stay, values and gradients are equal to rounding. Shapes must be static where this is to help;
 * a graph without such a place, or of another operator set than `builderOpset`, is returned as it is.
 *
 * @example
 * ```ts
 * import { GraphBuilder, neededRows } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const hidden = g.matmul(g.input("x", "float32", [2, 3, 4]), g.input("weight", "float32", [4, 5]))
 * const graph = neededRows(g.build({ first: g.slice(hidden, 1, 0, 1) }))
 * console.log(graph.nodes.map((node) => node.op)) // [ "Reshape", "Gather", "MatMul", "Reshape" ]
 * ```
 */
export const neededRows = (graph: Graph): Graph => {
  if (graph.opsets.get("") !== builderOpset) return graph
  const origins = new Map<Node, RowSelection>()
  for (const node of graph.nodes) {
    const selection = selectionOf(graph, node)
    if (selection !== undefined) origins.set(node, selection)
  }
  if (origins.size === 0) return graph
  const makers = producers(graph)
  const saving = new Set<Node>()
  for (const [node, { selections }] of plansOf(graph, origins, makers)) {
    if (rowProducts.has(node.op)) for (const { origin } of selections) saving.add(origin)
  }
  const worth = new Map([...origins].filter(([node]) => saving.has(node)))
  return worth.size === 0 ? graph : rewrite(graph, worth, plansOf(graph, worth, makers))
}

/** A node of whose result only some rows are needed. */
interface Plan extends RowWise {
  readonly selection: RowSelection
  /** All selections that take these rows. */
  readonly selections: readonly RowSelection[]
}

/** Selections that are all that is read of a value; they take the same rows. */
type Demand = readonly RowSelection[] | "all"

/** The nodes of which only rows are needed, found from the graph's end. */
const plansOf = (
  graph: Graph,
  origins: ReadonlyMap<Node, RowSelection>,
  makers: ReadonlyMap<string, Node>,
): ReadonlyMap<Node, Plan> => {
  const demands = new Map<string, Demand>(graph.outputs.map(({ name }) => [name, "all"]))
  const plans = new Map<Node, Plan>()
  const demand = (name: string, wanted: Demand): void => {
    const known = demands.get(name)
    if (known === undefined) demands.set(name, wanted)
    else if (known === "all" || wanted === "all" || known[0]?.key !== wanted[0]?.key) demands.set(name, "all")
    else demands.set(name, [...new Map([...known, ...wanted].map((each) => [each.origin, each])).values()])
  }
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => demands.has(name))) continue
    const own = demands.get(node.outputs[0] ?? "")
    const further = node.outputs.slice(1).some((name) => demands.has(name))
    const origin = origins.get(node)
    const selections = own === undefined || own === "all" || further || origin !== undefined ? [] : own
    const [selection] = selections
    const rowWise = selection === undefined ? undefined : rowWiseOf(graph, node, selection, makers)
    if (rowWise !== undefined && selection !== undefined) plans.set(node, { ...rowWise, selection, selections })
    const operand = (index: number): Demand => {
      if (origin !== undefined && index === 0) return [origin]
      const first = rowWise?.operands.get(index)
      if (first === undefined) return "all"
      return selections.map((each) => ({ ...first, origin: each.origin }))
    }
    for (const [index, name] of node.inputs.entries()) if (name !== "") demand(name, operand(index))
    for (const name of reads(node)) if (!node.inputs.includes(name)) demand(name, "all")
  }
  return plans
}

const rewrite = (graph: Graph, origins: ReadonlyMap<Node, RowSelection>, plans: ReadonlyMap<Node, Plan>): Graph => {
  const rows = new Rows(graph)
  for (const node of graph.nodes) {
    const [origin, plan] = [origins.get(node), plans.get(node)]
    if (origin !== undefined) rows.finish(node, origin)
    else if (plan !== undefined) rows.apply(node, plan)
    else rows.nodes.push(node)
  }
  const { nodes, values, initializers } = rows
  return deadCode({ ...graph, nodes: inOrder(nodes), values, initializers })
}

/** Nodes behind what they read: row numbers may be made later than the values that are now computed at these rows. */
const inOrder = (nodes: readonly Node[]): readonly Node[] => {
  const makers = producers({ nodes })
  const placed = new Set<Node>()
  const place = (node: Node): void => {
    if (placed.has(node)) return
    for (const name of reads(node)) {
      const maker = makers.get(name)
      if (maker !== undefined) place(maker)
    }
    placed.add(node)
  }
  for (const node of nodes) place(node)
  return [...placed]
}

/** The nodes of the graph with selections moved up. */
class Rows {
  readonly nodes: Node[] = []
  readonly values: Map<string, Value>
  readonly initializers: Map<string, Tensor>
  readonly #graph: Graph
  readonly #fresh: (stem: string) => string
  /** Values `[count, width]` by the value and the selection that they are the rows of. */
  readonly #taken = new Map<string, string>()
  /** Row numbers `[count]` by selection. */
  readonly #numbers = new Map<string, string>()
  readonly #constants = new Map<string, string>()

  constructor(graph: Graph) {
    this.#graph = graph
    this.#fresh = freshNames(graph)
    this.values = new Map(graph.values)
    this.initializers = new Map(graph.initializers)
  }

  /** The selecting node itself: the shape that its readers know. */
  finish(node: Node, selection: RowSelection): void {
    const output = node.outputs[0]!
    const taken = this.#take(node.inputs[0]!, selection)
    const { dims = [] } = describeValue(this.#graph, output)
    this.nodes.push({
      op: "Reshape",
      domain: "",
      name: node.name,
      inputs: [taken, this.#indices(dims.map(Number))],
      outputs: [output],
      attributes: {},
    })
  }

  /** A node on rows alone. */
  apply(node: Node, plan: Plan): void {
    const output = node.outputs[0]!
    const inputs = node.inputs.map((name, index) => {
      const selection = plan.operands.get(index)
      return selection === undefined ? name : this.#take(name, selection)
    })
    const key = takenKey(output, plan.selection)
    const { type, dims } = describeValue(this.#graph, output)
    const shape = [plan.selection.count, Number(dims?.at(-1))]
    switch (plan.kind) {
      case "same":
        this.#taken.set(key, inputs[0]!)
        return
      case "scatter": {
        const present = this.#isPresent(plan.operands.get(2)!)
        const zero = this.#constant("0", float32([], [0]))
        this.#taken.set(key, this.#emit("Where", [present, inputs[2]!, zero], type, shape, { name: node.name }))
        return
      }
      case "apply": {
        const { op, domain, name } = node
        const { attributes } = plan
        this.#taken.set(key, this.#emit(op, inputs, type, shape, { domain, name, attributes }))
      }
    }
  }

  /** Rows of a value: those that are computed alone, or gathered of all. */
  #take(name: string, selection: RowSelection): string {
    const key = takenKey(name, selection)
    const known = this.#taken.get(key)
    if (known !== undefined) return known
    const { type, dims = [] } = describeValue(this.#graph, name)
    const width = Number(dims.at(-1))
    const matrix =
      dims.length === 2
        ? name
        : this.#emit("Reshape", [name, this.#indices([selection.of, width])], type, [selection.of, width])
    const taken = this.#emit("Gather", [matrix, this.#rowNumbers(selection)], type, [selection.count, width])
    this.#taken.set(key, taken)
    return taken
  }

  #rowNumbers(selection: RowSelection): string {
    const known = this.#numbers.get(selection.key)
    if (known !== undefined) return known
    const made = this.#makeRowNumbers(selection)
    this.#numbers.set(selection.key, made)
    return made
  }

  #makeRowNumbers(selection: RowSelection): string {
    const { rows, count, through } = selection
    if (through !== undefined) {
      return this.#emit("Max", [this.#rowOf(selection), this.#constant("int 0", int64([], [0]))], "int64", [count])
    }
    if (typeof rows !== "string") return this.#indices(rows)
    const { type, dims } = describeValue(this.#graph, rows)
    return dims?.length === 1 ? rows : this.#emit("Reshape", [rows, this.#indices([count])], type, [count])
  }

  /** `[count] int64`: which row a `ScatterND` wrote to each of the selected places; -1 for none. */
  #rowOf({ key, of, count, through }: RowSelection): string {
    const known = this.#numbers.get(`row of ${key}`)
    if (known !== undefined || through === undefined) return known ?? ""
    const { places, at } = through
    const none = this.#emit("ConstantOfShape", [this.#indices([places.of])], "int64", [places.of], {
      attributes: { value: { kind: "tensor", value: int64([1], [-1]) } },
    })
    const all = this.#indices(Array.from({ length: of }, (_, row) => row))
    const written = this.#emit("ScatterND", [none, at, all], "int64", [places.of])
    const made = this.#emit("Gather", [written, this.#rowNumbers(places)], "int64", [count])
    this.#numbers.set(`row of ${key}`, made)
    return made
  }

  /** `[count, 1] bool`: whether a `ScatterND` wrote a row there. */
  #isPresent(selection: RowSelection): string {
    const none = this.#constant("int -1", int64([], [-1]))
    const present = this.#emit("Greater", [this.#rowOf(selection), none], "bool", [selection.count])
    return this.#emit("Reshape", [present, this.#indices([selection.count, 1])], "bool", [selection.count, 1])
  }

  #emit(
    op: string,
    inputs: readonly string[],
    type: ElementType | undefined,
    dims: readonly number[],
    { domain = "", name, attributes = {} }: Partial<Pick<Node, "domain" | "name" | "attributes">> = {},
  ): string {
    const output = this.#fresh(`rows/${op}`)
    this.nodes.push({ op, domain, name: name ?? output, inputs, outputs: [output], attributes })
    this.values.set(output, { name: output, type, dims })
    return output
  }

  #indices(values: readonly number[]): string {
    return this.#constant(`ints ${values}`, int64([values.length], values))
  }

  #constant(key: string, value: Tensor): string {
    const known = this.#constants.get(key)
    if (known !== undefined) return known
    const name = this.#fresh("rows/constant")
    this.initializers.set(name, value)
    this.#constants.set(key, name)
    return name
  }
}

const takenKey = (name: string, { key }: RowSelection): string => `${name} ${key}`
