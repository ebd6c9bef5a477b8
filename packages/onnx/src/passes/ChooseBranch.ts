import { DataDependentBranch } from "../Errors.ts"
import { type Graph, type Node, staticDims } from "../Graph.ts"
import { freshNames, mapSubgraphs, renameReads } from "../internal/rewrite.ts"
import { uniqueNames } from "../internal/uniqueNames.ts"
import { isRandom } from "../RandomNodes.ts"
import { elementCount, type Tensor } from "../Tensor.ts"
import { deadCode } from "./DeadCode.ts"
import { ShapeWalk } from "./InferShapes.ts"

/**
 * Puts the branch that runs in the place of every `If` whose condition is known: a constant of the graph, or one of
 * `values`. Branches inside branches are chosen too. Names of the graph's own values stay; an initializer of the branch
 * becomes one of the graph, under its own name where that is free. An `If` on anything else stays.
 *
 * @example
 * ```ts
 * import { bool, chooseBranches, GraphBuilder } from "@tandem/onnx"
 *
 * const branch = (op: "neg" | "exp") => {
 *   const g = new GraphBuilder()
 *   return g.build({ [op]: g[op](g.scalar(1)) })
 * }
 * const g = new GraphBuilder()
 * const cached = g.input("cached", "bool", [])
 * const [y] = g.op("If", [cached], {
 *   attributes: {
 *     then_branch: { kind: "graph", value: branch("neg") },
 *     else_branch: { kind: "graph", value: branch("exp") },
 *   },
 * })
 * const graph = chooseBranches(g.build({ y: y! }), new Map([["cached", bool([], [false])]]))
 * console.log(graph.nodes.map((node) => node.op)) // [ "Exp" ]
 * ```
 */
export const chooseBranches = (graph: Graph, values: ReadonlyMap<string, Tensor> = new Map()): Graph =>
  choose(graph, (name) => values.get(name))

const choose = (graph: Graph, outside: (name: string) => Tensor | undefined): Graph => {
  if (!graph.nodes.some(isIf)) return graph
  const splice = new Splice(graph)
  const known = (name: string): Tensor | undefined => outside(name) ?? splice.initializers.get(name)
  const place = (node: Node): void => {
    const chosen = isIf(node) ? truth(known(node.inputs[0] ?? "")) : undefined
    const branch = chosen === undefined ? undefined : branchOf(node, chosen)
    if (branch === undefined) {
      splice.add({ ...node, attributes: mapSubgraphs(node.attributes, (inner) => choose(inner, known)) })
    } else for (const inner of splice.open(branch, node.outputs)) place(inner)
  }
  for (const node of graph.nodes) place(node)
  return deadCode(splice.graph())
}

/**
 * Computes both branches of every `If` that is left, and picks among their results by `Where`, where that means the
 * same: the branches draw no random numbers, hold no loops, and their results agree in type and static
 * shape. What is left then depends on data, `Loop` and `Scan` included, and ends in `DataDependentBranch`.
 */
export const mergeBranches = (graph: Graph): Graph => {
  if (!graph.nodes.some(holdsGraph)) return graph
  const splice = new Splice(graph)
  const walk = new ShapeWalk(graph, splice.initializers)
  const add = (node: Node): void => {
    walk.visit(node)
    splice.add(node)
  }
  const place = (node: Node): void => {
    if (!holdsGraph(node)) {
      add(node)
      return
    }
    const [whenTrue, whenFalse] = [branchOf(node, true), branchOf(node, false)]
    if (!isIf(node) || whenTrue === undefined || whenFalse === undefined) throw refusal(node, "it runs a graph inside")
    const results = [whenTrue, whenFalse].map((branch) => {
      const random = branch.nodes.find(isRandom)
      if (random !== undefined) throw refusal(node, `a branch holds ${random.name} (${random.op})`)
      const names = node.outputs.map((name) => splice.fresh(name))
      for (const inner of splice.open(branch, names)) place(inner)
      return names.map((name) => walk.value(name))
    })
    for (const [index, output] of node.outputs.entries()) {
      if (output === "") continue
      const [a, b] = [results[0]![index]!, results[1]![index]!]
      const dims = staticDims(a.dims)
      if (dims === undefined || a.type === undefined || a.type !== b.type || `${dims}` !== `${staticDims(b.dims)}`) {
        const found = [a, b].map((each) => `${each.type ?? "?"}[${each.dims ?? "?"}]`).join(" and ")
        throw refusal(node, `its branches give ${found}`)
      }
      const condition = scalarCondition(splice, node.inputs[0] ?? "", walk)
      for (const each of condition.nodes) add(each)
      add(plain("Where", [condition.name, a.name, b.name], output, node.name))
    }
  }
  for (const node of graph.nodes) place(node)
  return deadCode(splice.graph())
}

const refusal = (node: Node, why: string): DataDependentBranch =>
  new DataDependentBranch({
    message: `${node.name} (${node.op}) chooses what runs from the data: ${why}`,
    node: node.name,
    expected: isIf(node)
      ? "a condition that constants or shapes decide, or branches of equal shapes"
      : "a graph without loops",
    found: `${node.op}(${node.inputs.join(", ")})`,
    hint: isIf(node)
      ? `give the value of ${node.inputs[0] ?? "the condition"} when the graph is prepared`
      : "export the model for a fixed number of steps, or without its generation loop",
  })

const isIf = (node: Node): boolean => node.op === "If" && node.domain === ""

const holdsGraph = (node: Node): boolean =>
  Object.values(node.attributes).some((attribute) => attribute.kind === "graph")

const branchOf = (node: Node, condition: boolean): Graph | undefined => {
  const attribute = node.attributes[condition ? "then_branch" : "else_branch"]
  return attribute?.kind === "graph" ? attribute.value : undefined
}

const truth = (value: Tensor | undefined): boolean | undefined =>
  value === undefined || value.type === "string" || elementCount(value.dims) !== 1
    ? undefined
    : Number(value.data[0]) !== 0

const plain = (op: string, inputs: readonly string[], output: string, name: string): Node => ({
  op,
  domain: "",
  name,
  inputs,
  outputs: [output],
  attributes: {},
})

/** A condition may be a vector of one element; its shape must not change the results'. */
const scalarCondition = (splice: Splice, name: string, walk: ShapeWalk): { name: string; nodes: readonly Node[] } => {
  const dims = walk.value(name).dims
  if (dims?.length === 0) return { name, nodes: [] }
  const shape = splice.fresh(`${name}/no dimensions`)
  splice.initializers.set(shape, { type: "int64", dims: [0], data: new BigInt64Array() })
  const scalar = splice.fresh(`${name}/scalar`)
  return { name: scalar, nodes: [plain("Reshape", [name, shape], scalar, scalar)] }
}

/** A graph as it is put together anew, with the contents of subgraphs among its nodes. */
class Splice {
  readonly initializers: Map<string, Tensor>
  readonly fresh: (stem: string) => string
  readonly #graph: Graph
  readonly #values: Map<string, Graph["inputs"][number]>
  readonly #taken: Set<string>
  readonly #nodes: Node[] = []
  readonly #unique = uniqueNames()

  constructor(graph: Graph) {
    this.#graph = graph
    this.initializers = new Map(graph.initializers)
    this.fresh = freshNames(graph)
    this.#values = new Map(graph.values)
    this.#taken = new Set([
      ...graph.inputs.map((value) => value.name),
      ...graph.initializers.keys(),
      ...graph.nodes.flatMap((node) => node.outputs),
    ])
  }

  add(node: Node): void {
    const name = this.#unique(node.name)
    this.#nodes.push(name === node.name ? node : { ...node, name })
  }

  /** The nodes of a subgraph as nodes of this graph, so that its outputs bear the names `outputs`. */
  open(branch: Graph, outputs: readonly string[]): readonly Node[] {
    const names = new Map<string, string>()
    const made = new Set(branch.nodes.flatMap((node) => node.outputs))
    const copies: (readonly [from: string, to: string])[] = []
    for (const [index, { name }] of branch.outputs.entries()) {
      const output = outputs[index] ?? ""
      if (output === "") continue
      if (made.has(name) && !names.has(name)) names.set(name, output)
      else copies.push([name, output])
    }
    for (const name of [...branch.initializers.keys(), ...made]) {
      if (name === "" || names.has(name)) continue
      names.set(name, this.#taken.has(name) ? this.fresh(name) : name)
      this.#taken.add(names.get(name)!)
    }
    const rename = (name: string): string => names.get(name) ?? name
    for (const [name, value] of branch.initializers) this.initializers.set(rename(name), value)
    for (const [name, value] of branch.values) this.#values.set(rename(name), { ...value, name: rename(name) })
    return [
      ...branch.nodes.map((node) => ({ ...renameReads(node, rename), outputs: node.outputs.map(rename) })),
      ...copies.map(([from, to]) => plain("Identity", [rename(from)], to, to)),
    ]
  }

  graph(): Graph {
    return { ...this.#graph, nodes: this.#nodes, initializers: this.initializers, values: this.#values }
  }
}
