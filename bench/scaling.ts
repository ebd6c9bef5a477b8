// How costs grow, ours alone: a training step with batch, length, layers and passages of each query; encoding and search
// with the size of the corpus. Each series is fitted by a power law.
import { tinyEncoder, trainWordPiece } from "@tandem/models"
import { makeTextEncoder, towerOf } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Exact, type KnowledgeStoreShape, type StoreIdentity } from "@tandem/store"
import { make as makeUsearch } from "@tandem/store/node/Usearch"
import { Effect, type Scope } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { powerLaw } from "./support/Exponent.ts"
import { noise, uniforms } from "./support/Numbers.ts"
import { decoderStep, encoderStep } from "./support/ScalingSteps.ts"
import { spread } from "./support/Spread.ts"

const rounds = 3

/** Prepares the work for a size; it may be done again and again. */
type Prepare = (size: number) => Effect.Effect<Effect.Effect<unknown, unknown, Runtime>, unknown, Runtime | Scope.Scope>

interface Series {
  readonly axis: string
  readonly sizes: readonly number[]
  readonly prepare: Prepare
}

const identity: StoreIdentity = { dimension: 384, similarity: "cosine", fingerprint: "scaling" }
const queries = 16

/** Searches for 16 queries in a store of random vectors. */
const searchIn =
  (make: Effect.Effect<KnowledgeStoreShape, unknown>): Prepare =>
  (size) =>
    Effect.gen(function* () {
      const store = yield* make
      const passages = Array.from({ length: size }, (_, index) => ({ id: `${index}`, text: "" }))
      const vectors = noise(size * identity.dimension, 1)
      yield* store.add({ passages, vectors, fingerprint: identity.fingerprint })
      return store.search({ vectors: noise(queries * identity.dimension, 2), k: 10 })
    })

/** Encodes texts of 10 to 100 words by a small encoder with random weights. */
const encode: Prepare = (size) =>
  Effect.gen(function* () {
    const words = Array.from({ length: 500 }, (_, index) => (index * 7919 + 4096).toString(26).replace(/\d/g, "x"))
    const text = (seed: number): string => {
      const [length = 0, ...draws] = uniforms(101, seed)
      return draws
        .slice(0, 10 + Math.floor(90 * length))
        .map((draw) => words[Math.floor(draw * words.length)])
        .join(" ")
    }
    const texts = Array.from({ length: size }, (_, index) => text(index))
    const vocabulary = trainWordPiece(texts.slice(0, 64), { vocabularySize: 600 })
    const encoder = yield* makeTextEncoder(towerOf(tinyEncoder({ seed: 0, vocabulary, maxLength: 256, layers: 4 })))
    return encoder.encode(texts, "passage")
  })

const series: Readonly<Record<string, Series>> = {
  "training step, texts": {
    axis: "texts of 128 tokens in a batch",
    sizes: [2, 4, 8, 16],
    prepare: (batch) => encoderStep({ batch, tokens: 128, layers: 6 }),
  },
  "training step, length": {
    axis: "tokens of each of 4 texts",
    sizes: [64, 128, 256, 512],
    prepare: (tokens) => encoderStep({ batch: 4, tokens, layers: 6 }),
  },
  "training step, layers": {
    axis: "layers, 4 texts of 128 tokens",
    sizes: [2, 4, 8, 16],
    prepare: (layers) => encoderStep({ batch: 4, tokens: 128, layers }),
  },
  "decoder step, passages": {
    axis: "passages of each of 2 queries, prompts of 128 tokens",
    sizes: [1, 2, 4, 8],
    prepare: (passages) => decoderStep({ passages, queries: 2, tokens: 128, answer: 16 }),
  },
  "decoder step, passages, shared prefix": {
    axis: "passages of each of 2 queries, prompts of 128 tokens, of which 96 are computed once",
    sizes: [1, 2, 4, 8],
    prepare: (passages) => decoderStep({ passages, queries: 2, tokens: 128, shared: 96, answer: 16 }),
  },
  encoding: { axis: "texts", sizes: [64, 128, 256, 512], prepare: encode },
  "exact search": {
    axis: "passages, 16 queries",
    sizes: [2048, 4096, 8192, 16384],
    prepare: searchIn(Exact.make(identity)),
  },
  "usearch search": {
    axis: "passages, 16 queries",
    sizes: [512, 1024, 2048, 4096],
    prepare: searchIn(makeUsearch(identity)),
  },
}

const measure = Effect.fnUntraced(function* ({ sizes, prepare }: Series) {
  const works = yield* Effect.forEach(sizes, prepare)
  for (const work of works) yield* work
  const times = sizes.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, work] of works.entries()) {
      const started = performance.now()
      yield* work
      times[index]!.push((performance.now() - started) / 1000)
    }
  }
  return times
})

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const figures: Record<string, unknown> = {}
  for (const [name, each] of Object.entries(series)) {
    if (args.length > 0 && !args.includes(name)) continue
    const times = await Effect.runPromise(Effect.scoped(measure(each).pipe(Effect.provide(layer()))))
    const points = each.sizes.map((size, index) => ({ size, seconds: spread(times[index]!) }))
    const law = powerLaw(points.map(({ size, seconds }) => [size, seconds.median]))
    figures[name] = { axis: each.axis, points, ...law }
    log(`${name}: seconds grow with the power ${law.exponent.toFixed(2)} of ${each.axis}`)
  }
  return {
    settings: {
      work: "how costs grow, ours alone",
      rounds,
      encoder: "MiniLM's width",
      decoder: "SmolLM's width, 4 layers",
      dimension: 384,
    },
    figures,
  }
}
