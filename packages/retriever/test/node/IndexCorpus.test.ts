import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { float32 } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { Exact, KnowledgeStore, type StoreFolder } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import * as Usearch from "@tandem/store/node/Usearch"
import { Effect } from "effect"
import { encodeAll } from "../../src/EncodeAll.ts"
import { fingerprint } from "../../src/Fingerprint.ts"
import { encodeCorpus, openIndex } from "../../src/IndexCorpus.ts"
import { Retriever } from "../../src/Retriever.ts"
import { type IndexSettings, storeIdentity } from "../../src/StoreIdentity.ts"
import { type Tower, towerOf } from "../../src/Towers.ts"
import { corpus, smallEncoder } from "../support/Encoders.ts"
import { withRuntime } from "../support/Run.ts"

const encoder = smallEncoder(1)
const passages = corpus.map((text, index) => ({ id: `p${index}`, text, title: `title ${index}` }))
const settings = { passage: towerOf(encoder), similarity: "cosine", titles: "pair", maxLength: 32 } as const

/** A tower over resident buffers, as a training run has it. */
const resident = Effect.gen(function* () {
  const runtime = yield* Runtime
  const weights = yield* Effect.forEach(encoder.parameters, ([name, value]) =>
    Effect.map(runtime.upload(value), (buffer) => [name, buffer] as const),
  )
  const tower: Tower = { encoder, weights: Object.fromEntries(weights) }
  return tower
})

const save = Effect.fnUntraced(function* (folder: StoreFolder, options: IndexSettings) {
  const contents = yield* encodeCorpus(options, passages)
  const store = yield* Exact.make(contents.identity)
  yield* store.replace(contents)
  yield* store.snapshot(folder)
})

const withFolder = async (use: (folder: StoreFolder) => Promise<void>): Promise<void> => {
  const path = await mkdtemp(join(tmpdir(), "tandem-index-"))
  try {
    await use(nodeFolder(join(path, "store")))
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

describe("encodeCorpus and openIndex", () => {
  for (const similarity of ["dot", "cosine"] as const)
    it(`an index of a training run's buffers is searched through Retriever (${similarity})`, () =>
      withFolder((folder) =>
        withRuntime(
          Effect.gen(function* () {
            yield* save(folder, { ...settings, similarity, passage: yield* resident })
            const options = { ...settings, similarity, query: settings.passage }
            for (const open of [Exact.open, Usearch.open]) {
              const { store, identity } = yield* openIndex(options, (expected) => open(folder, expected))
              assert.deepEqual(yield* store.metadata, { ...identity, count: passages.length })
              const found = yield* Effect.flatMap(Retriever, ({ search }) => search(corpus, 3)).pipe(
                Effect.provide(Retriever.layer(options)),
                Effect.provideService(KnowledgeStore, store),
              )
              const { vectors } = yield* encodeAll(settings.passage, corpus, {
                ...settings,
                similarity,
                kind: "query",
              })
              const hits = yield* store.search({ vectors, k: 3, fingerprint: identity.fingerprint })
              assert.deepEqual(
                found.map((list) => list.map(({ passage, score }) => ({ passage, score }))),
                hits,
              )
            }
          }),
        ),
      ))

  it("an index with the identity of before is refused, and what to do is said", () =>
    withFolder((folder) =>
      withRuntime(
        Effect.gen(function* () {
          const { vectors } = yield* encodeAll(settings.passage, passages, { ...settings, kind: "passage" })
          const before = yield* fingerprint(settings.passage)
          for (const [similarity, field] of [
            ["dot", "similarity"],
            ["cosine", "fingerprint"],
          ] as const) {
            const identity = { dimension: 16, similarity, fingerprint: before }
            yield* folder.save({ identity, passages, vectors }, [])
            const error = yield* Effect.flip(openIndex(settings, (expected) => Exact.open(folder, expected)))
            assert.ok(error._tag === "StoreMismatch")
            assert.equal(error.field, field)
            assert.match(error.hint ?? "", /index the corpus again/)
          }
          const missing = yield* Effect.flip(
            openIndex(settings, (expected) => Exact.open(nodeFolder(join(folder.location, "none")), expected)),
          )
          assert.equal(missing._tag, "StoreAccess")
        }),
      ),
    ))

  it("hears of progress, and a passage that has no finite embedding is named", () =>
    withRuntime(
      Effect.gen(function* () {
        const seen: (readonly number[])[] = []
        const contents = yield* encodeCorpus(
          { ...settings, batchSize: 4, onProgress: (done, total) => seen.push([done, total]) },
          passages,
        )
        assert.deepEqual(seen, [
          [4, 6],
          [6, 6],
        ])
        assert.deepEqual(contents.identity, yield* storeIdentity(settings))
        const name = "encoder.layer.1.output.dense.bias"
        const bias = encoder.parameters.get(name)!
        const damaged = { ...settings.passage.weights, [name]: float32(bias.dims, [Number.NaN, ...Array(15).fill(0)]) }
        const error = yield* Effect.flip(
          encodeCorpus({ ...settings, passage: { encoder, weights: damaged } }, passages),
        )
        assert.equal(error._tag, "InvalidVector")
        assert.match(error.message, /passage "the river was long and cold" is not finite/)
      }),
    ))
})
