// Training steps of a decoder: forward, backward, clip, AdamW; all weights or LoRA adapters. Padding is packed away, and
// logits are computed at the labelled places alone.
import { bucketLengths, packedRows } from "@tandem/collators"
import type { Decoder, DecoderShape } from "@tandem/models"
import { loadDecoder } from "@tandem/models/node/LoadDecoder"
import { float32, int64, type Tensor } from "@tandem/onnx"
import { adamW, type Batch, makeTrainStep, residentState, type TrainStep } from "@tandem/trainers"
import { Effect } from "effect"
import { adapterValues } from "../support/AdapterValues.ts"
import { causalLmProgram } from "../support/CausalLmProgram.ts"
import { type CausalLmSettings, readRows, type TokenRow } from "../support/CausalLmRows.ts"
import { type Product, productsOf } from "../support/Products.ts"
import { type SideRuntimeSettings, sideRuntime } from "../support/SideRuntime.ts"
import { answerWithSteps, trainingSteps } from "../support/TrainingSteps.ts"

const settings: CausalLmSettings & SideRuntimeSettings = JSON.parse(process.argv[2] ?? "{}")
const { lora, recompute } = settings

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
  const { program, adapters } = causalLmProgram(graph, shape.logitRows, lora)
  return { program: { ...program, ...(recompute === undefined ? {} : { recompute }) }, adapters }
})

/** Weights and compiled steps in the runtime; what the model's files held is not kept. */
const prepare = Effect.gen(function* () {
  const decoder = yield* loadDecoder(settings.model)
  const rows = readRows(settings.batches)
  // Under the profiler two batches after the first tell enough, and no more are compiled for.
  const read = settings.profile === undefined ? rows : rows.slice(0, 3)
  const batches = read.map((rows) => collate(rows, decoder.padTokenId, settings.maxLength))
  const first = yield* programOf(decoder, batches[0]!)
  const added = adapterValues(first.adapters)
  const trainable = lora === undefined ? [...decoder.parameters.keys()] : [...added.keys()]
  const parameters = new Map<string, Tensor>([...decoder.parameters, ...added])
  const state = yield* residentState(parameters, trainable, { optimizer: adamW(), handOver: true })
  const compiled = new Map<string, TrainStep>()
  const products: readonly Product[] | undefined = settings.countProducts
    ? productsOf(first.program.graph, trainable)
    : undefined
  const started = performance.now()
  // Shapes come again and again in a long run; only here each would be met for the first time.
  for (const batch of batches) {
    if (compiled.has(batch.key)) continue
    const { program } = yield* programOf(decoder, batch)
    compiled.set(batch.key, yield* makeTrainStep(program, state))
  }
  const seconds = (performance.now() - started) / 1000
  return { batches, state, compiled, seconds, products }
})

const main = Effect.gen(function* () {
  const { batches, state, compiled, seconds, products } = yield* prepare
  const step = trainingSteps(state, settings.learningRate, (done) => {
    const batch = batches[done % batches.length]!
    return { compiled: compiled.get(batch.key)!, batch }
  })
  yield* answerWithSteps(step, settings.steps, {
    ...(products === undefined ? {} : { products }),
    notes: { sessions: compiled.size, "seconds to compile": seconds },
  })
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(sideRuntime(settings))))
