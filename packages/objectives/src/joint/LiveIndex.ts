import type { Passage } from "@tandem/datasets"
import type { ModelError } from "@tandem/models"
import { float32, type Tensor } from "@tandem/onnx"
import { encodeAll, type Tower, type Towers, towerFrom } from "@tandem/retriever"
import type { Observe } from "@tandem/runs"
import { Runtime } from "@tandem/runtime"
import type { AddError, EmbeddedStoreShape, InvalidVectorError } from "@tandem/store"
import { CheckpointFailed, type Hook, type Live, type StateContents, type StatePart } from "@tandem/trainers"
import { Effect, Fiber, Schema, type Scope } from "effect"
import { encodingOf, type RetrievalSettings } from "../retrieval/RetrievalSettings.ts"
import { isDue, type Refresh } from "./Refresh.ts"

/** What an index that follows its encoder is made of. */
export interface LiveIndexOptions {
  readonly towers: Towers
  readonly retrieval: RetrievalSettings
  /** Holds the passages with the vectors of the weights before training. */
  readonly store: EmbeddedStoreShape
  readonly refresh: Refresh
  /** A new index takes effect so many steps after it was begun, and training waits where it is late; 0 for at once. */
  readonly delay: number
  /** What encodes beside training; training's own runtime where absent, which then waits. */
  readonly beside?: Runtime["Service"]
  readonly observe: Observe
}

/** What a live index brings into an objective. */
export interface LiveIndex {
  /** None where the index is never made anew. */
  readonly hooks: readonly Hook<LiveIndexFailure, Runtime>[]
  readonly state: StatePart<LiveIndexFailure, Runtime>
  /** Steps since the index in use was begun, and its drift where it was measured: numbers for a step. */
  readonly statistics: (step: number) => Readonly<Record<string, number>>
}

export type LiveIndexFailure = ModelError | AddError | CheckpointFailed

/** Passages whose drift is measured. */
const probes = 32

/** What a checkpoint remembers beside vectors and weights. */
const Remembered = Schema.Struct({
  /** The step whose weights made the index in use. */
  madeAt: Schema.Number,
  /** The step at which another one was begun. */
  begunAt: Schema.NullOr(Schema.Number),
  /** The mean cosine that was measured last, of the index in use. */
  drift: Schema.NullOr(Schema.Number),
})

/**
 * An index whose passages' encoder trains: it is made anew by the policy, from the weights of one step, and swapped whole at
 * a step that is fixed when it is begun. A checkpoint holds the vectors in use, and the weights of one that is under way, so
 * that a run that goes on searches what it would have searched. Between two indexes candidates come from the old one, scores
 * and gradients from the live encoders.
 */
export const makeLiveIndex = Effect.fnUntraced(function* (
  options: LiveIndexOptions,
): Effect.fn.Return<LiveIndex, never, Runtime | Scope.Scope> {
  const { towers, retrieval, store, refresh, delay, observe } = options
  const runtime = yield* Runtime
  const scope = yield* Effect.scope
  const encodesIn = options.beside ?? runtime
  const encoding = encodingOf(retrieval, "passage")
  let madeAt = 0
  let drift: number | undefined
  let underway:
    | {
        readonly begunAt: number
        readonly weights: Readonly<Record<string, Tensor>>
        readonly fiber: Fiber.Fiber<Float32Array, ModelError | InvalidVectorError>
      }
    | undefined

  const encode = (tower: Tower, passages: readonly Passage[], on: Runtime["Service"]) =>
    encodeAll(tower, passages, { ...encoding, kind: "passage" }).pipe(
      Effect.map(({ vectors }) => vectors),
      Effect.provideService(Runtime, on),
    )

  /** The passages' weights of the moment, copied out. */
  const snapshot = Effect.fnUntraced(function* ({ weights }: Live) {
    const held: Record<string, Tensor> = {}
    for (const [name, feed] of Object.entries(towerFrom(towers, "passage", weights).weights))
      held[name] = "id" in feed ? yield* runtime.download(feed) : feed
    return held
  })

  const begin = Effect.fnUntraced(function* (begunAt: number, weights: Readonly<Record<string, Tensor>>) {
    const { passages } = yield* store.contents
    const tower = { ...towerFrom(towers, "passage"), weights }
    const fiber = yield* Effect.forkIn(encode(tower, passages, encodesIn), scope)
    underway = { begunAt, weights, fiber }
  })

  const finish = Effect.fnUntraced(function* (step: number) {
    if (underway === undefined || step < underway.begunAt + delay) return
    const { begunAt, fiber } = underway
    const vectors = yield* Fiber.join(fiber)
    const { identity, passages } = yield* store.contents
    yield* store.replace({ identity, passages, vectors })
    underway = undefined
    madeAt = begunAt
    drift = undefined
    yield* observe({ event: "refresh", step, madeAt: begunAt })
  })

  /** The mean cosine of the probe's stored vectors and those of the moment. */
  const measureDrift = Effect.fnUntraced(function* ({ weights }: Live) {
    const { passages, vectors, identity } = yield* store.contents
    const width = identity.dimension
    const stride = Math.max(1, Math.floor(passages.length / probes))
    const places = Array.from({ length: Math.min(probes, passages.length) }, (_, index) => index * stride)
    const probe = places.map((place) => passages[place]!)
    const fresh = yield* encode(towerFrom(towers, "passage", weights), probe, runtime)
    const cosines = places.map((place, index) =>
      cosine(vectors.subarray(place * width, (place + 1) * width), fresh.subarray(index * width, (index + 1) * width)),
    )
    return cosines.reduce((sum, each) => sum + each, 0) / cosines.length
  })

  const run = Effect.fnUntraced(function* (live: Live) {
    yield* finish(live.step)
    if (underway !== undefined) return
    const due = isDue(refresh, live.step)
    if (due === "no") return
    if (due === "by drift") {
      drift = yield* measureDrift(live)
      if (refresh.kind !== "drift" || drift >= refresh.below) return
    }
    yield* begin(live.step, yield* snapshot(live))
    yield* finish(live.step)
  })

  const save = Effect.map(
    store.contents,
    ({ vectors, passages, identity }): StateContents => ({
      json: { madeAt, begunAt: underway?.begunAt ?? null, drift: drift ?? null } satisfies typeof Remembered.Type,
      tensors: new Map([
        ["vectors", float32([passages.length, identity.dimension], vectors)],
        ...Object.entries(underway?.weights ?? {}).map(([name, value]) => [`weights/${name}`, value] as const),
      ]),
    }),
  )

  const restore = Effect.fnUntraced(function* ({ json, tensors }: StateContents) {
    const { identity, passages } = yield* store.contents
    const vectors = tensors.get("vectors")
    const remembered = Schema.decodeUnknownOption(Remembered)(json)
    if (
      remembered._tag === "None" ||
      !(vectors?.data instanceof Float32Array) ||
      vectors.data.length !== passages.length * identity.dimension
    ) {
      return yield* new CheckpointFailed({
        message: "the checkpoint holds no index that fits the run",
        tensor: "vectors",
        expected: `float32[${passages.length},${identity.dimension}]`,
        found: vectors === undefined ? "nothing" : `${vectors.type}[${vectors.dims}]`,
        hint: "begin again in another folder",
      })
    }
    if (underway !== undefined) yield* Fiber.interrupt(underway.fiber)
    underway = undefined
    yield* store.replace({ identity, passages, vectors: vectors.data })
    madeAt = remembered.value.madeAt
    drift = remembered.value.drift ?? undefined
    if (remembered.value.begunAt === null) return
    const weights = Object.fromEntries(
      [...tensors].flatMap(([name, value]) => (name.startsWith("weights/") ? [[name.slice(8), value] as const] : [])),
    )
    yield* begin(remembered.value.begunAt, weights)
  })

  return {
    hooks: refresh.kind === "never" ? [] : [{ name: "index refresh", everySteps: 1, run }],
    state: { name: "index", save, restore },
    statistics: (step) => ({ indexAge: step - madeAt, ...(drift === undefined ? {} : { drift }) }),
  }
})

const cosine = (a: Float32Array, b: Float32Array): number => {
  let [dot, aa, bb] = [0, 0, 0]
  for (const [index, value] of a.entries()) {
    dot += value * b[index]!
    aa += value * value
    bb += b[index]! * b[index]!
  }
  return aa === 0 || bb === 0 ? 0 : dot / Math.sqrt(aa * bb)
}
