// Real MiniLM weights from safetensors and from two ONNX exports give PyTorch's embeddings.
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type Encoder, encoderInputs, withPooling } from "@tandem/models"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"

interface Golden {
  readonly model: string
  readonly weightsSha256: string
  readonly maxLength: number
  readonly sentences: readonly string[]
  readonly ids: readonly (readonly number[])[]
  readonly embeddings: readonly (readonly number[])[]
}

/** Folders below $TANDEM_MODELS: the model as on the hub, and what `test/golden/minilm.py --export` makes of it. */
const folders = ["all-MiniLM-L6-v2", "minilm-onnx-dynamo", "minilm-onnx-script"]
const tolerance = 1e-5

export async function run({ root, log }: ExperimentContext): Promise<ExperimentResult> {
  const models = process.env["TANDEM_MODELS"]
  if (models === undefined || !existsSync(models)) {
    throw new Error(`set TANDEM_MODELS to the folder that holds ${folders.join(", ")}`)
  }
  const golden: Golden = JSON.parse(readFileSync(join(root, "test/golden/minilm-embeddings.json"), "utf8"))
  const figures: Record<string, unknown> = {}
  const holds: Record<string, boolean> = {}
  for (const folder of folders) {
    const found = await Effect.runPromise(
      Effect.scoped(measure(join(models, folder), golden)).pipe(Effect.provide(layer())),
    )
    log(`${folder}: largest difference ${found.largestDifference}`)
    figures[folder] = found
    holds[`${folder} gives PyTorch's embeddings to ${tolerance}`] = found.largestDifference <= tolerance
    holds[`${folder} gives PyTorch's token ids`] = found.sameIds
  }
  const { model, weightsSha256, maxLength } = golden
  return {
    settings: { model, weightsSha256, maxLength, tolerance, sentences: golden.sentences.length },
    figures,
    holds,
  }
}

const measure = Effect.fnUntraced(function* (directory: string, golden: Golden) {
  const encoder = yield* loadEncoder(directory, { maxLength: golden.maxLength })
  const batch = encoder.tokenizer.encodeBatch(golden.sentences, { maxLength: golden.maxLength })
  const values = yield* embed(encoder, batch)
  const width = encoder.config.hiddenSize
  let largestDifference = 0
  for (const [row, expected] of golden.embeddings.entries()) {
    for (const [column, value] of expected.entries()) {
      largestDifference = Math.max(largestDifference, Math.abs(Number(values[row * width + column]) - value))
    }
  }
  const sameIds = golden.ids.every((ids, row) => {
    const ours = batch.ids.subarray(row * batch.tokens, row * batch.tokens + (batch.lengths[row] ?? 0))
    return ours.join() === ids.join()
  })
  return {
    source: encoder.source.kind,
    pooling: encoder.pooling,
    parameters: encoder.parameters.size,
    largestDifference,
    sameIds,
  }
})

const embed = Effect.fnUntraced(function* (encoder: Encoder, batch: ReturnType<Encoder["tokenizer"]["encodeBatch"]>) {
  const graph = yield* encoder.graph({ batch: batch.rows, tokens: batch.tokens })
  const runtime = yield* Runtime
  const executable = yield* runtime.compile(withPooling(graph, encoder.pooling).graph)
  const inputs = { ...encoderInputs(batch, encoder.inputs), ...Object.fromEntries(encoder.parameters) }
  return (yield* executable.run(inputs))["sentence_embedding"]?.data ?? []
})
