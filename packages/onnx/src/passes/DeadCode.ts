import { type Graph, type Node, reads } from "../Graph.ts"

/** Drops nodes, initializers and values that no output needs. Inputs stay, because callers bind them by name. */
export const deadCode = (graph: Graph): Graph => {
  const needed = new Set(graph.outputs.map((value) => value.name))
  const nodes: Node[] = []
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue
    nodes.push(node)
    for (const name of reads(node)) needed.add(name)
  }
  const made = new Set(nodes.flatMap((node) => node.outputs))
  return {
    ...graph,
    nodes: nodes.reverse(),
    initializers: new Map([...graph.initializers].filter(([name]) => needed.has(name))),
    values: new Map([...graph.values].filter(([name]) => needed.has(name) || made.has(name))),
  }
}
