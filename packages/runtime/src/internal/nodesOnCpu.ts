import { describeValue, type Graph, type Node, type Value, writeModel } from "@tandem/onnx"
import { Effect } from "effect"

/**
 * Asks a provider for each kind of node of a graph whether it leaves it to the CPU, and puts in words what it does;
 * `leaves` compiles a model and says so.
 */
export const nodesOnCpu = <E, R>(
  graph: Graph,
  leaves: (model: Uint8Array) => Effect.Effect<boolean, E, R>,
): Effect.Effect<readonly string[], E, R> =>
  Effect.map(
    Effect.forEach(kindsOf(graph), ({ nodes, model }) =>
      Effect.map(
        Effect.suspend(() => leaves(model())),
        (left) => (left ? nodes : []),
      ),
    ),
    (left) => {
      const byOperator = Map.groupBy(left.flat(), (node) => node.op)
      return [...byOperator].map(([op, nodes]) => `${op} runs on the CPU: ${nodes.map((node) => node.name).join(", ")}`)
    },
  )

/** Nodes of one kind, and a model that holds one of them. */
interface Kind {
  readonly nodes: readonly Node[]
  readonly model: () => Uint8Array
}

/**
 * The nodes of a graph by kind: alike in operator, attributes and what is known of their operands. Each kind has a model of
 * one node, so that a provider can be asked whether it has the operator for these types and constants. Nodes whose
 * operands' types are not known are left out.
 */
const kindsOf = (graph: Graph): readonly Kind[] => {
  const kinds = new Map<string, { nodes: Node[]; model: () => Uint8Array }>()
  for (const node of graph.nodes) {
    const operands = [...new Set(node.inputs)].filter((name) => name !== "").map((name) => describeValue(graph, name))
    if (operands.some(({ type }) => type === undefined)) continue
    const key = JSON.stringify(
      [node.op, node.domain, node.attributes, operands.map((value) => signature(graph, value))],
      plain,
    )
    const known = kinds.get(key)
    if (known === undefined)
      kinds.set(key, { nodes: [node], model: () => writeModel(graphOfNode(graph, node, operands)) })
    else known.nodes.push(node)
  }
  return [...kinds.values()]
}

const plain = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}` : value)

/** Small whole numbers decide what an operator does; of everything else its type and rank. */
const signature = (graph: Graph, { name, type, dims }: Value): unknown => {
  const constant = graph.initializers.get(name)
  return [
    type,
    dims?.length,
    constant === undefined ? false : type === "int64" ? Array.from(constant.data, Number) : true,
  ]
}

/** A graph that holds one node of another and nothing more. */
const graphOfNode = (graph: Graph, node: Node, operands: readonly Value[]): Graph => ({
  name: node.name,
  inputs: operands.filter(({ name }) => !graph.initializers.has(name)),
  outputs: node.outputs.filter((name) => name !== "").map((name) => describeValue(graph, name)),
  nodes: [node],
  initializers: new Map([...graph.initializers].filter(([name]) => node.inputs.includes(name))),
  values: new Map(),
  opsets: graph.opsets,
})
