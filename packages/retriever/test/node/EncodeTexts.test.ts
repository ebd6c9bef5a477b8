import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { ModelError } from "@tandem/models"
import { float32, toNumbers } from "@tandem/onnx"
import { type Executable, Runtime } from "@tandem/runtime"
import { Effect, type Scope } from "effect"
import { makeTextEncoder } from "../../src/EncodeTexts.ts"
import { towerOf } from "../../src/Towers.ts"
import { largestDifference, row, smallEncoder, texts } from "../support/Encoders.ts"
import { withRuntime } from "../support/Run.ts"

const encoder = smallEncoder(1)

describe("makeTextEncoder", () => {
  it("gives every text its own embedding back, in the order of the inputs", () =>
    withRuntime(
      Effect.gen(function* () {
        const { encode, dimension } = yield* makeTextEncoder(towerOf(encoder), { batchSize: 8 })
        assert.equal(dimension, 16)
        const inputs = texts(60)
        const vectors = yield* encode(inputs, "passage")
        assert.equal(vectors.length, 60 * dimension)
        const order = inputs.map((_, i) => (i * 23) % 60)
        const shuffled = yield* encode(
          order.map((i) => inputs[i]!),
          "passage",
        )
        for (const [at, i] of order.entries()) {
          assert.ok(largestDifference(row(shuffled, at, dimension), row(vectors, i, dimension)) < 1e-5)
        }
        const [a, b] = [inputs.indexOf(inputs[3]!), inputs.indexOf(inputs[4]!)]
        assert.ok(largestDifference(row(vectors, a, dimension), row(vectors, b, dimension)) > 1e-2)
      }),
    ))

  for (const mode of ["mean", "cls", "max", "last"] as const) {
    it(`gives a text the same embedding alone and in a padded batch (${mode} pooling)`, () =>
      withRuntime(
        Effect.gen(function* () {
          const { encode, dimension } = yield* makeTextEncoder(towerOf(smallEncoder(2, { mode, normalize: false })))
          const inputs = texts(21)
          const together = yield* encode(inputs, "passage")
          for (const i of [0, 5, 13, 20]) {
            const alone = yield* encode([inputs[i]!], "passage")
            assert.ok(largestDifference(alone, row(together, i, dimension)) < 1e-5)
          }
        }),
      ))
  }

  it("reads resident buffers at every run", () =>
    withRuntime(
      Effect.gen(function* () {
        const runtime = yield* Runtime
        const name = "embeddings.word_embeddings.weight"
        const table = encoder.parameters.get(name)!
        const buffer = yield* runtime.upload(table)
        const tower = towerOf(encoder)
        const { encode } = yield* makeTextEncoder({ ...tower, weights: { ...tower.weights, [name]: buffer } })
        const before = yield* encode(["the river"], "query")
        yield* runtime.write(
          buffer,
          float32(
            table.dims,
            toNumbers(table).map((x) => -x),
          ),
        )
        const changed = yield* encode(["the river"], "query")
        assert.ok(largestDifference(before, changed) > 1e-2)
        yield* runtime.write(buffer, table)
        assert.deepEqual(yield* encode(["the river"], "query"), before)
      }),
    ))

  it("compiles one graph for all shapes, and releases it", () =>
    Effect.gen(function* () {
      const runtime = yield* Runtime
      let [compiled, alive] = [0, 0]
      const counting: Runtime["Service"] = {
        ...runtime,
        compile: (graph, options) =>
          Effect.acquireRelease(
            Effect.map(runtime.compile(graph, options), (executable): Executable => {
              compiled++
              alive++
              return executable
            }),
            () => Effect.sync(() => void alive--),
          ),
      }
      yield* Effect.gen(function* () {
        const { encode } = yield* makeTextEncoder(towerOf(encoder), { batchSize: 4 })
        yield* encode(texts(60, 120), "passage")
        yield* encode(["a river"], "query")
      }).pipe(Effect.scoped, Effect.provideService(Runtime, counting))
      assert.deepEqual([compiled, alive], [1, 0])
    }).pipe(withRuntime))

  it("serves several callers at once", () =>
    withRuntime(
      Effect.gen(function* () {
        const { encode } = yield* makeTextEncoder(towerOf(encoder))
        const inputs = texts(12)
        const one = yield* encode(inputs, "passage")
        const many = yield* Effect.all(
          Array.from({ length: 6 }, () => encode(inputs, "passage")),
          { concurrency: "unbounded" },
        )
        for (const vectors of many) assert.deepEqual(vectors, one)
      }),
    ))

  it("scales to unit length under cosine, and counts texts, tokens and what it cut", () =>
    withRuntime(
      Effect.gen(function* () {
        const { encode, statistics } = yield* makeTextEncoder(towerOf(encoder), { similarity: "cosine", maxLength: 12 })
        const seen: (readonly number[])[] = []
        const vectors = yield* encode(["the river", "river ".repeat(30)], "passage", (done, total) =>
          seen.push([done, total]),
        )
        for (const index of [0, 1]) {
          const norm = Math.hypot(...row(vectors, index, 16))
          assert.ok(Math.abs(norm - 1) < 1e-6)
        }
        assert.deepEqual(seen, [[2, 2]])
        const { texts: count, truncated, tokens, paddedTokens } = yield* statistics
        assert.deepEqual([count, truncated, paddedTokens], [2, 1, 24])
        assert.ok(tokens > 12 && tokens < 24)
        assert.equal((yield* encode([], "passage")).length, 0)
      }),
    ))

  it("puts the model's prompts before queries and passages", () =>
    withRuntime(
      Effect.gen(function* () {
        const prompted = { ...encoder, prompts: { query: "the village ", passage: "" } }
        const { encode } = yield* makeTextEncoder(towerOf(prompted))
        const query = yield* encode(["river"], "query")
        assert.deepEqual(yield* encode(["the village river"], "passage"), query)
        assert.ok(largestDifference(yield* encode(["river"], "passage"), query) > 1e-2)
      }),
    ))

  it("refuses weights and settings that do not fit, naming them", () =>
    withRuntime(
      Effect.gen(function* () {
        const { weights } = towerOf(encoder)
        const name = "encoder.layer.1.output.dense.bias"
        const { [name]: _, ...rest } = weights
        const failures: readonly Effect.Effect<unknown, ModelError, Runtime | Scope.Scope>[] = [
          makeTextEncoder({ encoder, weights: rest }),
          makeTextEncoder({ encoder, weights: { ...weights, [name]: float32([2], [1, 2]) } }),
          makeTextEncoder(towerOf(encoder), { maxLength: 129 }),
          makeTextEncoder(towerOf(encoder), { batchSize: 0 }),
          Effect.flatMap(makeTextEncoder(towerOf(encoder), { maxLength: 1 }), ({ encode }) => encode(["a"], "query")),
        ]
        const tags: string[] = []
        for (const failure of failures) tags.push((yield* Effect.flip(failure))._tag)
        assert.deepEqual(tags, [
          "InvalidEncoder",
          "InvalidEncoder",
          "SequenceTooLong",
          "InvalidEncoder",
          "InvalidTokenizer",
        ])
        const error = yield* Effect.flip(makeTextEncoder({ encoder, weights: rest }))
        assert.match(error.message, /encoder\.layer\.1\.output\.dense\.bias/)
      }),
    ))
})
