// Training steps of a dual encoder on sequences without padding against PyTorch eager: the same weights, token ids,
// loss and optimizer.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { bertConfig, bertParameters, writeSafetensors } from "@tandem/models"
import { elementCount, tensor } from "@tandem/onnx"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, compare } from "./support/Compare.ts"

/** Sizes of public encoders; the weights are random, because a step takes as long with any. */
const models = {
  "MiniLM-L6": { hidden_size: 384, num_hidden_layers: 6, num_attention_heads: 12, intermediate_size: 1536 },
  "BERT-base": { hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072 },
}
const cases = [
  { model: "MiniLM-L6", batch: 16, tokens: 128, steps: 2, rounds: 5 },
  { model: "MiniLM-L6", batch: 32, tokens: 256, steps: 1, rounds: 5 },
  { model: "BERT-base", batch: 8, tokens: 256, steps: 1, rounds: 5 },
] as const
const learningRate = 2e-5
/** Losses of the two sides agree to this, relative. */
const tolerance = 1e-3
const target = 0.95

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const threads = availableParallelism()
  const figures: Record<string, Compared> = {}
  for (const { model, batch, tokens, steps, rounds } of cases) {
    const name = `${model} ${batch} x ${tokens}`
    if (args.length > 0 && !args.includes(name)) continue
    const folder = writeModel(models[model])
    try {
      const settings = { model: folder, batch, tokens, steps, learningRate, threads }
      figures[name] = await compare({ name: "dual-encoder-dense", settings, rounds, tolerance, log })
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  const holds = Object.entries(figures).flatMap(([name, { ratio }]) =>
    ratio === undefined ? [] : [[`${name}: at least ${target} of PyTorch's speed`, ratio.median >= target] as const],
  )
  return {
    settings: { cases, learningRate, threads, step: "forward, backward, clip, AdamW" },
    figures,
    holds: Object.fromEntries(holds),
  }
}

/** A folder with config.json and random weights. */
const writeModel = (sizes: (typeof models)[keyof typeof models]): string => {
  const json = {
    architectures: ["BertModel"],
    model_type: "bert",
    vocab_size: 30522,
    max_position_embeddings: 512,
    type_vocab_size: 2,
    hidden_act: "gelu",
    layer_norm_eps: 1e-12,
    pad_token_id: 0,
    ...sizes,
  }
  let state = 1
  const noise = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32 - 0.5
  }
  const weights = bertParameters(bertConfig(json)).map(({ name, dims, role }) => {
    const center = role === "scale" ? 1 : 0
    const data = Float32Array.from({ length: elementCount(dims) }, () => center + 0.07 * noise())
    return [name, tensor("float32", dims, data)] as const
  })
  const folder = mkdtempSync(join(tmpdir(), "tandem-bench-"))
  writeFileSync(join(folder, "config.json"), JSON.stringify(json))
  writeFileSync(join(folder, "model.safetensors"), writeSafetensors(new Map(weights)))
  return folder
}
