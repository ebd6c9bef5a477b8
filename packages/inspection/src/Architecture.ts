import type { Graph } from "@tandem/onnx"

/** What kind of model a graph is: `model_type` of its config where there is one, else told from the graph. */
export const architectureOf = (graph: Graph, config: Readonly<Record<string, unknown>> | undefined): string => {
  const type = config?.["model_type"]
  if (typeof type === "string" && type !== "") return type
  const inputs = graph.inputs.map(({ name }) => name)
  const outputs = graph.outputs.map(({ name }) => name)
  const has = (names: readonly string[], pattern: RegExp): boolean => names.some((name) => pattern.test(name))
  if (has(inputs, /^decoder_input_ids$/)) return "encoder-decoder"
  if (has(inputs, /^encoder_hidden_states$/)) return "decoder with cross-attention"
  if (has([...inputs, ...outputs], /past|present/)) return "decoder"
  const attends = graph.nodes.some(({ op }) => /Softmax|Attention/.test(op))
  if (has(inputs, /pixel|image/)) return attends ? "vision transformer" : "vision network"
  if (!attends) return "network"
  if (graph.outputs.some(({ name, dims }) => /logits/.test(name) && dims?.length === 3)) return "language model"
  return has(inputs, /^input_ids$/) && has(outputs, /hidden|embedding|pooler/) ? "encoder" : "transformer"
}
