import type { LoraAdapter, LoraSettings } from "@tandem/autodiff"
import { answerNll } from "@tandem/losses"
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
  const logits = g.callWithInputs(graph).outputs["logits"]!
  const targets = g.input("targets", "int64", [logitRows, 1])
  const mask = g.input("weights", "float32", [logitRows, 1])
  const { loss } = answerNll(g, { logits, targets, mask }, { reduction: "sum" })
  const program: Program = { graph: g.build({ loss }), loss: "loss", dropout: [] }
  return lora === undefined ? { program, adapters: [] } : withAdapters(program, lora)
}
