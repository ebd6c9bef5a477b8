import type { LoraAdapter, LoraSettings } from "@tandem/autodiff"
import { type Graph, GraphBuilder } from "@tandem/onnx"
import { type Program, withAdapters } from "@tandem/trainers"

/**
 * A decoder's training program: weighted cross-entropy of `targets` `[logitRows, 1]` under the logits
 * `[logitRows, vocabulary]` of its graph, with adapters in place of the weights where `lora` is given.
 */
export const causalLmProgram = (
  graph: Graph,
  logitRows: number,
  lora?: LoraSettings,
): { readonly program: Program; readonly adapters: readonly LoraAdapter[] } => {
  const g = new GraphBuilder()
  const inputs = Object.fromEntries(
    graph.inputs.map(({ name, type = "float32", dims = [] }) => [name, g.input(name, type, dims)]),
  )
  const { logits } = g.call(graph, inputs)
  const targets = g.input("targets", "int64", [logitRows, 1])
  const weights = g.input("weights", "float32", [logitRows, 1])
  const picked = g.op("GatherElements", [g.logSoftmax(logits!), targets], {
    attributes: { axis: { kind: "int", value: 1 } },
  })[0]!
  const loss = g.neg(g.reduceSum(g.mul(picked, weights), [], false))
  const program: Program = { graph: g.build({ loss }), loss: "loss", dropout: [] }
  return lora === undefined ? { program, adapters: [] } : withAdapters(program, lora)
}
