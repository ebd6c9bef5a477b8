// Faults that are planted into a joint program, behind the builder's back: what is known to be found is known to be tested.
import { float32, type Graph, type Node } from "@tandem/onnx"
import type { Program } from "@tandem/trainers"

const scope = "retrievalLogPrior/"

const node = (op: string, inputs: readonly string[], output: string): Node => ({
  op,
  domain: "",
  name: `planted/${output}`,
  inputs,
  outputs: [output],
  attributes: {},
})

/** The graph with its scores replaced where the prior reads them, by what nodes make of them as `planted`. */
const onScores = (graph: Graph, nodesOf: (scores: string) => readonly Node[]): Graph => {
  const inside = graph.nodes.filter(({ name }) => name.includes(scope))
  const made = new Set(inside.flatMap(({ outputs }) => outputs))
  const given = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()])
  const scores = inside.flatMap(({ inputs }) => inputs).find((name) => !made.has(name) && !given.has(name))
  const dims = scores === undefined ? undefined : graph.values.get(scores)
  const reader = inside.find(({ inputs }) => scores !== undefined && inputs.includes(scores))
  if (scores === undefined || dims === undefined || reader === undefined) throw new Error("the program has no scores")
  const first = graph.nodes.indexOf(reader)
  const replaced = graph.nodes.map((each) =>
    inside.includes(each) ? { ...each, inputs: each.inputs.map((name) => (name === scores ? "planted" : name)) } : each,
  )
  const added = nodesOf(scores)
  return {
    ...graph,
    nodes: [...replaced.slice(0, first), ...added, ...replaced.slice(first)],
    initializers: new Map([
      ...graph.initializers,
      ["planted zero", float32([], [0])],
      ["planted minus", float32([], [-1])],
      ["planted scale", float32([], [2 ** 24])],
      ["planted inverse", float32([], [2 ** -24])],
    ]),
    values: new Map([
      ...graph.values,
      ...added.flatMap(({ outputs }) => outputs.map((name) => [name, { ...dims, name }] as const)),
    ]),
  }
}

/** Rounding has no gradient; this rounds away nothing that matters. */
const severing = (scores: string, output: string): readonly Node[] => [
  node("Mul", [scores, "planted scale"], "planted scaled"),
  node("Floor", ["planted scaled"], "planted whole"),
  node("Mul", ["planted whole", "planted inverse"], output),
]

/** The scores are plain numbers: what made them is not connected to the loss. */
export const severed = (program: Program): Program => ({
  ...program,
  graph: onScores(program.graph, (scores) => severing(scores, "planted")),
})

/** The same values, and every gradient through the scores is 0, though there is a way from the loss to what made them. */
export const silenced = (program: Program): Program => ({
  ...program,
  graph: onScores(program.graph, (scores) => [
    ...severing(scores, "planted cut"),
    node("Mul", [scores, "planted zero"], "planted nothing"),
    node("Add", ["planted cut", "planted nothing"], "planted"),
  ]),
})

/** The best passages are the least likely ones. */
export const negated = (program: Program): Program => ({
  ...program,
  graph: onScores(program.graph, (scores) => [node("Mul", [scores, "planted minus"], "planted")]),
})
