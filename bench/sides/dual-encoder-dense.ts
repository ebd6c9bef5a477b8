// Training steps of a dual encoder with shared towers on token ids without padding: forward, backward, clip, AdamW.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { inBatchNll } from "@tandem/losses"
import { bertConfig, bertGraph, pickBertWeights, pool, readSafetensors } from "@tandem/models"
import { GraphBuilder, int64, type Tensor, type Value } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { adamWDefaults, type Batch, makeTrainStep, optimize, type Program, residentState } from "@tandem/trainers"
import { Effect, type Scope } from "effect"
import { answer } from "../support/Answer.ts"
import { ids } from "../support/Numbers.ts"
import { productsOf } from "../support/Products.ts"

const settings: { model: string; batch: number; tokens: number; steps: number; learningRate: number; threads: number } =
  JSON.parse(process.argv[2] ?? "{}")
const { batch, tokens, steps } = settings
const config = bertConfig(JSON.parse(readFileSync(join(settings.model, "config.json"), "utf8")))

const programOf = (parameters: ReadonlyMap<string, Tensor>): Program => {
  const g = new GraphBuilder()
  const weights = new Map<string, Value>()
  const embed = (side: string): Value => {
    const { graph } = bertGraph(config, { batch, tokens, full: true })
    const bound = Object.fromEntries(
      graph.inputs.map(({ name, type = "float32", dims = [] }) => {
        const shared = parameters.has(name) ? name : `${side}.${name}`
        const value = weights.get(shared) ?? g.input(shared, type, dims)
        weights.set(shared, value)
        return [name, value]
      }),
    )
    const hidden = g.scope(side, () => g.call(graph, bound))["last_hidden_state"]!
    return pool(g, hidden, bound["attention_mask"]!, { mode: "mean", normalize: false })
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
  const state = yield* residentState(parameters, trainable, false, undefined)
  const program = programOf(parameters)
  return { state, step: yield* makeTrainStep(program, state), products: productsOf(program.graph, trainable) }
})

const main = Effect.gen(function* () {
  const { state, step, products } = yield* prepare
  let done = 0
  const work = Effect.gen(function* () {
    const { loss } = yield* step.run(batchOf(done), { seed: 0, step: done })
    done++
    yield* optimize(state, adamWDefaults, { learningRate: settings.learningRate, count: done, batches: 1 })
    return loss
  })
  const context = yield* Effect.context<Runtime | Scope.Scope>()
  const run = (): Promise<number> => Effect.runPromise(Effect.provide(work, context))
  yield* Effect.promise(run)
  yield* Effect.promise(() =>
    answer(
      async () => {
        const started = performance.now()
        const values: number[] = []
        for (let i = 0; i < steps; i++) values.push(await run())
        return { seconds: (performance.now() - started) / 1000 / steps, values }
      },
      { products },
    ),
  )
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(layer({ threads: settings.threads }))))
