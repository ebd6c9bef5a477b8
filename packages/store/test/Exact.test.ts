import assert from "node:assert/strict"
import { test } from "node:test"
import { Exact, InvalidRequestError } from "@tandem/store"
import { Effect } from "effect"

const store = (similarity: "dot" | "cosine" | "l2", vectors: readonly (readonly number[])[]) =>
  Effect.gen(function* () {
    const made = yield* Exact.make({ dimension: vectors[0]?.length ?? 1, similarity, fingerprint: "" })
    yield* made.add({
      passages: vectors.map((_, i) => ({ id: `${i}`, text: "" })),
      vectors: Float32Array.from(vectors.flat()),
      fingerprint: "",
    })
    return made
  })

const search = (
  similarity: "dot" | "cosine" | "l2",
  vectors: readonly (readonly number[])[],
  query: readonly number[],
) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const [hits] = yield* (yield* store(similarity, vectors)).search({ vectors: Float32Array.from(query), k: 9 })
      return hits?.map(({ passage, score }) => [passage.id, score])
    }),
  )

test("scores by hand: inner product, cosine, negative squared distance", async () => {
  const vectors = [
    [1, 0],
    [3, 4],
    [0, -2],
  ]
  assert.deepEqual(await search("dot", vectors, [2, 1]), [
    ["1", 10],
    ["0", 2],
    ["2", -2],
  ])
  assert.deepEqual(await search("cosine", vectors, [0, 2]), [
    ["1", 0.8],
    ["0", 0],
    ["2", -1],
  ])
  assert.deepEqual(await search("l2", vectors, [1, 1]), [
    ["0", -1],
    ["2", -10],
    ["1", -13],
  ])
})

test("near neighbours far from the origin keep their order by distance", async () => {
  const base = 4096
  assert.deepEqual(await search("l2", [[base + 0.5], [base + 0.25], [base + 0.125]], [base]), [
    ["2", -0.015625],
    ["1", -0.0625],
    ["0", -0.25],
  ])
})

test("more rows and queries than a block holds, in sizes that no tile divides", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const count = 1543
      for (const similarity of ["dot", "cosine", "l2"] as const) {
        // Row i stands alone on its own angle, so it is its own best match under every similarity.
        const made = yield* store(
          similarity,
          Array.from({ length: count }, (_, i) => [
            Math.cos((2 * Math.PI * i) / count),
            Math.sin((2 * Math.PI * i) / count),
            1,
          ]),
        )
        const { vectors } = yield* made.contents
        const results = yield* made.search({ vectors: vectors.subarray(0, 101 * 3), k: 1 })
        assert.deepEqual(
          results.map(([hit]) => hit?.passage.id),
          Array.from({ length: 101 }, (_, i) => `${i}`),
        )
        const last = yield* made.search({ vectors: vectors.subarray((count - 1) * 3), k: 1 })
        assert.equal(last[0]?.[0]?.passage.id, `${count - 1}`)
      }
    }),
  ))

test("a long search lets other fibers run", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const made = yield* store("dot", [
        [1, 0],
        [0, 1],
      ])
      const order: string[] = []
      yield* Effect.all(
        [
          Effect.map(made.search({ vectors: new Float32Array(2 * 500), k: 1 }), () => order.push("search")),
          Effect.sync(() => order.push("other")),
        ],
        { concurrency: "unbounded" },
      )
      assert.deepEqual(order, ["other", "search"])
    }),
  ))

test("a store without a dimension is refused", async () => {
  for (const dimension of [0, -1, 1.5, Number.NaN]) {
    const error = await Effect.runPromise(Effect.flip(Exact.make({ dimension, similarity: "dot", fingerprint: "" })))
    assert.ok(error instanceof InvalidRequestError)
  }
})
