import type { Attribute, Attributes, Graph, Node } from "../Graph.ts"
import type { Tensor } from "../Tensor.ts"

/** Every name that a graph or one of its subgraphs uses for a value. */
const namesOf = (graph: Graph, names = new Set<string>()): Set<string> => {
  for (const { name } of [...graph.inputs, ...graph.outputs]) names.add(name)
  for (const name of graph.initializers.keys()) names.add(name)
  for (const node of graph.nodes) {
    for (const name of [...node.inputs, ...node.outputs]) names.add(name)
    for (const attribute of Object.values(node.attributes))
      if (attribute.kind === "graph") namesOf(attribute.value, names)
  }
  return names
}

/** A source of value names that the graph does not use yet. */
export const freshNames = (graph: Graph): ((stem: string) => string) => {
  const taken = namesOf(graph)
  const counts = new Map<string, number>()
  return (stem) => {
    for (;;) {
      const count = counts.get(stem) ?? 0
      counts.set(stem, count + 1)
      const name = count === 0 ? stem : `${stem}_${count}`
      if (taken.has(name)) continue
      taken.add(name)
      return name
    }
  }
}

/** Attributes with every subgraph replaced by what `change` makes of it; the same object where there is none. */
export const mapSubgraphs = (attributes: Attributes, change: (graph: Graph) => Graph): Attributes => {
  if (!Object.values(attributes).some((attribute) => attribute.kind === "graph")) return attributes
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]): [string, Attribute] => [
      name,
      attribute.kind === "graph" ? { kind: "graph", value: change(attribute.value) } : attribute,
    ]),
  )
}

/** A node that reads each value under the name `rename` gives, in its subgraphs too. */
export const renameReads = (node: Node, rename: (name: string) => string): Node => ({
  ...node,
  inputs: node.inputs.map(rename),
  attributes: mapSubgraphs(node.attributes, (graph) => ({
    ...graph,
    nodes: graph.nodes.map((inner) => renameReads(inner, rename)),
    outputs: graph.outputs.map((value) => ({ ...value, name: rename(value.name) })),
  })),
})

/**
 * Takes out the nodes that `source` maps to another value: whoever read their output reads that value instead.
 * A node that makes an output of the graph stays, as an `Identity`, so that the output keeps its name.
 */
export const bypass = (graph: Graph, source: (node: Node) => string | undefined): Graph => {
  const outputs = new Set(graph.outputs.map((value) => value.name))
  const aliases = new Map<string, string>()
  const rename = (name: string): string => aliases.get(name) ?? name
  const nodes: Node[] = []
  for (const original of graph.nodes) {
    const from = source(original)
    const node = aliases.size === 0 ? original : renameReads(original, rename)
    const output = node.outputs[0]
    if (from === undefined || output === undefined) nodes.push(node)
    else if (outputs.has(output)) {
      nodes.push({ ...node, op: "Identity", domain: "", inputs: [rename(from)], outputs: [output], attributes: {} })
    } else aliases.set(output, rename(from))
  }
  return { ...graph, nodes }
}

/** The tensor that a `Constant` node holds, whichever attribute it stands in; undefined for kinds not handled. */
export const constantTensor = (attributes: Attributes): Tensor | undefined => {
  const [name, attribute] = Object.entries(attributes)[0] ?? []
  if (name === undefined || attribute === undefined) return undefined
  switch (attribute.kind) {
    case "tensor":
      return attribute.value
    case "float":
      return { type: "float32", dims: [], data: Float32Array.of(attribute.value) }
    case "floats":
      return { type: "float32", dims: [attribute.value.length], data: Float32Array.from(attribute.value) }
    case "int":
      return { type: "int64", dims: [], data: BigInt64Array.of(BigInt(attribute.value)) }
    case "ints":
      return { type: "int64", dims: [attribute.value.length], data: BigInt64Array.from(attribute.value, BigInt) }
    case "string":
      return { type: "string", dims: [], data: [attribute.value] }
    case "strings":
      return { type: "string", dims: [attribute.value.length], data: attribute.value }
    case "graph":
      return undefined
  }
}
