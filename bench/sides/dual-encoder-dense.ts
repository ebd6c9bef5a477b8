// Training steps of a dual encoder with shared towers on token ids without padding: forward, backward, clip, AdamW.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { inBatchNll } from "@tandem/losses"
import { bertConfig, bertGraph, pickBertWeights, pool } from "@tandem/models"
import { GraphBuilder, int64, type Tensor, type Value } from "@tandem/onnx"
import { readSafetensors } from "@tandem/safetensors"
import { adamW, type Batch, makeTrainStep, type Program, residentState } from "@tandem/trainers"
import { Effect } from "effect"
import { ids } from "../support/Numbers.ts"
import { productsOf } from "../support/Products.ts"
import { type SideRuntimeSettings, sideRuntime } from "../support/SideRuntime.ts"
import { answerWithSteps, trainingSteps } from "../support/TrainingSteps.ts"

interface Settings extends SideRuntimeSettings {
  readonly model: string
  readonly batch: number
  readonly tokens: number
  readonly steps: number
  readonly learningRate: number
}
const settings: Settings = JSON.parse(process.argv[2] ?? "{}")
const { batch, tokens } = settings
const config = bertConfig(JSON.parse(readFileSync(join(settings.model, "config.json"), "utf8")))

const programOf = (parameters: ReadonlyMap<string, Tensor>): Program => {
  const g = new GraphBuilder()
  const embed = (side: string): Value => {
    const { graph } = bertGraph(config, { batch, tokens, full: true })
    const { inputs, outputs } = g.scope(side, () =>
      g.callWithInputs(graph, (name) => (parameters.has(name) ? name : `${side}.${name}`)),
    )
    return pool(g, outputs["last_hidden_state"]!, inputs["attention_mask"]!, { mode: "mean", normalize: false })
  }
  const { loss } = inBatchNll(
    g,
    { queries: embed("query"), passages: embed("passage") },
    { similarity: "cosine", temperature: 0.05 },
  )
  return { graph: g.build({ loss }), loss: "loss", dropout: [] }
}

const batchOf = (step: number): Batch => {
  const dims = [batch, tokens]
  const count = batch * tokens
  const side = (name: string, seed: number) => ({
    [`${name}.input_ids`]: int64(dims, ids(count, seed, config.vocabularySize)),
    [`${name}.attention_mask`]: int64(dims, Array(count).fill(1)),
    [`${name}.token_type_ids`]: int64(dims, Array(count).fill(0)),
  })
  return { key: "dense", examples: batch, tensors: { ...side("query", 2 * step), ...side("passage", 2 * step + 1) } }
}

/** Weights and the compiled step in the runtime; what the model's file held is not kept. */
const prepare = Effect.gen(function* () {
  const { tensors } = readSafetensors(readFileSync(join(settings.model, "model.safetensors")))
  const { parameters } = pickBertWeights(config, tensors, "model.safetensors")
  const trainable = [...parameters.keys()]
  const state = yield* residentState(parameters, trainable, { optimizer: adamW() })
  const program = programOf(parameters)
  return { state, compiled: yield* makeTrainStep(program, state), products: productsOf(program.graph, trainable) }
})

const main = Effect.gen(function* () {
  const { state, compiled, products } = yield* prepare
  const step = trainingSteps(state, settings.learningRate, (done) => ({ compiled, batch: batchOf(done) }))
  yield* answerWithSteps(step, settings.steps, { products })
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(sideRuntime(settings))))
