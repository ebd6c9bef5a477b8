import { addLora, initialAdapters, type LoraSettings } from "@tandem/autodiff"
import { bertConfig, bertGraph, decoderConfig, decoderGraph, type PeftDescription, toPeftAdapter } from "@tandem/models"
import { float32, type Graph, type Tensor } from "@tandem/onnx"
import { goldenJson } from "./Golden.ts"

interface Written {
  readonly graph: () => Graph
  readonly settings: LoraSettings
  readonly description: PeftDescription
}

const written: Readonly<Record<"bert" | "llama", Written>> = {
  bert: {
    graph: () => bertGraph(bertConfig(goldenJson("bert-tiny/config.json")), { batch: 1, tokens: 4 }).graph,
    settings: { rank: 2, alpha: 5, dropout: 0.05, targets: "all-linear" },
    description: { taskType: "FEATURE_EXTRACTION", baseModel: "bert-tiny" },
  },
  llama: {
    graph: () => decoderGraph(decoderConfig(goldenJson("decoders/llama/config.json")), { batch: 1, tokens: 4 }).graph,
    settings: { rank: 3, alpha: 2, useRslora: true, targets: ["q_proj", "v_proj", "o_proj", "up_proj"] },
    description: { taskType: "CAUSAL_LM", baseModel: "decoders/llama" },
  },
}

/** Adapters with fixed values, neither half of them zero: what `lora.py` gives PEFT to read. */
export const writtenAdapters = (name: "bert" | "llama") => {
  const { graph, settings, description } = written[name]
  const { adapters } = addLora(graph(), settings)
  const values = new Map<string, Tensor>(initialAdapters(adapters, 11))
  // B of an adapter takes other seeds' numbers for A, of the right count
  for (const [index, { b, outputs, rank }] of adapters.entries()) {
    const [numbers] = initialAdapters([{ ...adapters[index]!, rank: outputs, inputs: rank }], 12).values()
    values.set(b, float32([outputs, rank], numbers!.data))
  }
  return { settings, adapters, values, adapter: toPeftAdapter(settings, adapters, values, description) }
}
