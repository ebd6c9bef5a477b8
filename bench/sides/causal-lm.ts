// Training steps of a decoder: forward, backward, clip, AdamW; all weights or LoRA adapters. Padding is packed away, and
// logits are computed at the labelled places alone.
import { initialAdapters, type LoraAdapter } from "@tandem/autodiff"
import { bucketLengths, packedRows } from "@tandem/collators"
import type { Decoder, DecoderShape } from "@tandem/models"
import { loadDecoder } from "@tandem/models/node/Decoder"
import { float32, int64, type Tensor } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { adamWDefaults, type Batch, makeTrainStep, optimize, residentState, type TrainStep } from "@tandem/trainers"
import { Effect, type Scope } from "effect"
import { answer } from "../support/Answer.ts"
import { causalLmProgram } from "../support/CausalLmProgram.ts"
import { type CausalLmSettings, readRows, type TokenRow } from "../support/CausalLmRows.ts"
import { uniforms } from "../support/Numbers.ts"
import { meanProducts, type Product, productsOf } from "../support/Products.ts"

const settings: CausalLmSettings = JSON.parse(process.argv[2] ?? "{}")
const { lora, steps } = settings

interface LmBatch extends Batch {
  readonly shape: DecoderShape & { readonly logitRows: number }
}

/** Rows padded on the right to a multiple of 128 tokens; other sizes rounded up, too, so that few graphs are compiled. */
const collate = (texts: readonly TokenRow[], padTokenId: number, longest: number): LmBatch => {
  const batch = texts.length
  const tokens = bucketLengths({ multiple: 128, maximum: longest })(Math.max(...texts.map(({ ids }) => ids.length)))
  const ids = new Array<number>(batch * tokens).fill(padTokenId)
  const mask = new Array<number>(batch * tokens).fill(0)
  const labelled = new Map<number, number>()
  const spare: number[] = []
  for (const [row, { ids: own, from }] of texts.entries()) {
    for (const [column, id] of own.entries()) {
      const place = row * tokens + column
      ids[place] = id
      mask[place] = 1
      const next = own[column + 1]
      if (next !== undefined && column + 1 >= from) labelled.set(place, next)
      else spare.push(place)
    }
  }
  const places = [...labelled.keys()]
  const count = places.length
  const wanted = Math.min(count + spare.length, Math.ceil(count / 32) * 32)
  // A graph has more places than there are labels: their weight is 0.
  const filled = [...places, ...spare.slice(0, wanted - count)]
  const attention = int64([batch, tokens], mask)
  const rows = packedRows(attention, 128)
  const packed = rows.dims[0]! < batch * tokens ? { packed_rows: rows } : undefined
  const shape = { batch, tokens, logitRows: filled.length, ...(packed && { packedRows: rows.dims[0]! }) }
  return {
    key: Object.values(shape).join("x"),
    examples: batch,
    shape,
    tensors: {
      input_ids: int64([batch, tokens], ids),
      attention_mask: attention,
      ...packed,
      logit_rows: int64([filled.length], filled),
      targets: int64(
        [filled.length, 1],
        filled.map((place) => labelled.get(place) ?? 0),
      ),
      weights: float32(
        [filled.length, 1],
        Float32Array.from(filled, (_, index) => (index < count ? 1 / count : 0)),
      ),
    },
  }
}

const programOf = Effect.fnUntraced(function* (decoder: Decoder, { shape }: LmBatch) {
  const { graph } = yield* decoder.graph(shape)
  return causalLmProgram(graph, shape.logitRows, lora)
})

/** Both sides' A, by the order of the modules' names; B is zero, as PEFT begins. */
const adapterValues = (adapters: readonly LoraAdapter[]): ReadonlyMap<string, Tensor> => {
  const values: Map<string, Tensor> = initialAdapters(adapters, 0)
  for (const [index, { a, rank, inputs }] of adapters.toSorted((x, y) => (x.module < y.module ? -1 : 1)).entries()) {
    const bound = 1 / Math.sqrt(inputs)
    const data = Float32Array.from(uniforms(rank * inputs, index), (value) => bound * (2 * value - 1))
    values.set(a, float32([rank, inputs], data))
  }
  return values
}

/** Weights and compiled steps in the runtime; what the model's files held is not kept. */
const prepare = Effect.gen(function* () {
  const decoder = yield* loadDecoder(settings.model)
  const batches = readRows(settings.batches).map((rows) => collate(rows, decoder.padTokenId, settings.maxLength))
  const first = yield* programOf(decoder, batches[0]!)
  const added = adapterValues(first.adapters)
  const trainable = lora === undefined ? [...decoder.parameters.keys()] : [...added.keys()]
  const parameters = new Map<string, Tensor>([...decoder.parameters, ...added])
  const state = yield* residentState(parameters, trainable, false, undefined)
  const compiled = new Map<string, TrainStep>()
  const products = new Map<string, readonly Product[]>()
  const started = performance.now()
  for (const batch of batches) {
    if (compiled.has(batch.key)) continue
    const { program } = yield* programOf(decoder, batch)
    const step = yield* makeTrainStep(program, state)
    compiled.set(batch.key, step)
    products.set(batch.key, productsOf(program.graph, trainable))
    // Shapes come again and again in a long run; only here each would be met for the first time.
    yield* step.run(batch, { seed: 0, step: 0 })
  }
  const seconds = (performance.now() - started) / 1000
  const measured = batches.slice(1).map((batch) => products.get(batch.key) ?? [])
  return { batches, state, compiled, seconds, products: meanProducts(measured) }
})

const main = Effect.gen(function* () {
  const { batches, state, compiled, seconds, products } = yield* prepare
  let done = 0
  const work = Effect.gen(function* () {
    const batch = batches[done]!
    const { loss } = yield* compiled.get(batch.key)!.run(batch, { seed: 0, step: done })
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
        const start = performance.now()
        const values: number[] = []
        for (let i = 0; i < steps; i++) values.push(await run())
        return { seconds: (performance.now() - start) / 1000 / steps, values }
      },
      {
        products,
        notes: { sessions: compiled.size, "seconds to compile and run each once": seconds },
      },
    ),
  )
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(layer({ threads: settings.threads }))))
