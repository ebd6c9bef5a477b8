import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Effect, Stream } from "effect"
import { type Chunk, type SimulateOptions, simulateAsReference, simulateRetrieval } from "../../src/index.ts"
import { chunksOf, manyChunks } from "../support/Chunks.ts"

const simulated = (chunks: readonly Chunk[], options: Partial<SimulateOptions> = {}) =>
  Effect.runPromise(Stream.runCollect(simulateRetrieval(chunks, { seed: 1, ...options })))

const failing = (chunks: readonly Chunk[], options: Partial<SimulateOptions> = {}) =>
  Effect.runPromise(Effect.flip(Stream.runCollect(simulateRetrieval(chunks, { seed: 1, ...options }))))

describe("simulateRetrieval", () => {
  it("shows the true chunk where it succeeds, and never where it fails, in both modes", async () => {
    const chunks = manyChunks(60)
    for (const mode of ["random", "hard"] as const) {
      const items = await simulated(chunks, { mode, failureShare: 0.4, maxChunks: 3 })
      assert.equal(items.length, chunks.length)
      for (const { chunk, shown, failed } of items) {
        assert.equal(
          shown.some(({ id }) => id === chunk.id),
          !failed,
        )
        assert.ok(shown.length >= 1 && shown.length <= 3)
        assert.equal(new Set(shown.map(({ id }) => id)).size, shown.length)
        if (failed) {
          for (const other of shown) assert.ok(other.source !== chunk.source || Math.abs(other.index - chunk.index) > 1)
        }
      }
      const failures = items.filter(({ failed }) => failed).length
      assert.ok(failures > 50 && failures < 94, `${failures}`)
      for (const length of [1, 2, 3]) assert.ok(items.filter(({ shown }) => shown.length === length).length > 30)
      const places = items.flatMap(({ chunk, shown, failed }) => (failed ? [] : [shown.indexOf(chunk)]))
      for (const place of [0, 1, 2]) assert.ok(places.filter((one) => one === place).length > 5)
    }
  })

  it("draws for a chunk what its seed and id say", async () => {
    const chunks = manyChunks(30)
    assert.deepEqual(await simulated(chunks), await simulated(chunks))
    assert.notDeepEqual(await simulated(chunks), await simulated(chunks, { seed: 2 }))
  })

  it("takes distractors that look like the true chunk, where it is to", async () => {
    const topics = chunksOf(
      Object.fromEntries(
        Array.from({ length: 40 }, (_, n) => [
          `${n}.txt`,
          [
            `${n % 2 === 0 ? "volcano lava eruption" : "sonata violin concert"} number ${n} of ${n * 7} and ${n * 13} more`,
          ],
        ]),
      ),
    )
    const alike = (items: Awaited<ReturnType<typeof simulated>>) => {
      const pairs = items.flatMap(({ chunk, shown }) => shown.filter((one) => one !== chunk).map((one) => [chunk, one]))
      return pairs.filter(([a, b]) => a?.text.slice(0, 5) === b?.text.slice(0, 5)).length / pairs.length
    }
    const hard = alike(await simulated(topics, { mode: "hard" }))
    assert.ok(hard > 0.9, `${hard}`)
    assert.ok(alike(await simulated(topics)) < 0.7)
    const byVectors = await simulated(topics, {
      mode: "hard",
      failureShare: 0,
      neighbours: ({ id }) => [id, "1.txt#0"],
    })
    assert.ok(byVectors.some(({ shown }) => shown.some(({ id }) => id === "1.txt#0")))
  })

  it("leaks nothing in a failed context: duplicates, overlaps, neighbours, answers", async () => {
    const truth = "The lighthouse of Port Maren was built in 1871 by the engineer Ada Solberg from grey granite blocks."
    const copy = `Note: ${truth.replace("grey", "dark grey")}`
    const others = manyChunks(4).map(({ text }) => text)
    const chunks = [
      ...chunksOf({
        "truth.txt": [truth, "It stands next to it.", "It stands two places away and says nothing of it."],
        "copy.txt": [copy],
        "answer.txt": ["A list of engineers: ADA   Solberg, among others, and what they liked to eat on Sundays."],
        "rest.txt": others,
      }),
    ]
    const overlapping: Chunk = {
      ...chunks[2]!,
      id: "overlap",
      index: 9,
      start: 50,
      end: 300,
      text: "It overlaps with it.",
    }
    const seen = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const [item] = await simulated([...chunks, overlapping], {
        seed,
        failureShare: 1,
        mode: seed % 2 === 0 ? "hard" : "random",
        answersOf: ({ id }) => (id === "truth.txt#0" ? ["Ada Solberg"] : []),
      })
      for (const { id } of item?.shown ?? []) seen.add(id)
    }
    for (const leaking of ["truth.txt#0", "truth.txt#1", "copy.txt#0", "answer.txt#0", "overlap"]) {
      assert.ok(!seen.has(leaking), leaking)
    }
    assert.ok(seen.has("truth.txt#2"))
  })

  it("leaks no neighbour out of a copy of the document", async () => {
    const texts = ["The pump is primed with clean water.", "Then it runs for a year."]
    const document = chunksOf({ "a.txt": texts })
    const copy = document.map((chunk): Chunk => ({ ...chunk, id: `copy ${chunk.id}`, source: "b.txt" }))
    const items = await simulated([...document, ...copy, ...manyChunks(3)], {
      failureShare: 1,
      maxChunks: 9,
      tooFew: "fewer",
    })
    const [first] = items
    assert.deepEqual(
      first?.shown.filter(({ document: of }) => of === "a.txt"),
      [],
    )
  })

  it("shows all chunks that a question needs", async () => {
    const items = await simulated(manyChunks(30), { multiChunkShare: 0.5, failureShare: 0.2, maxChunks: 2 })
    const several = items.filter(({ multi }) => multi !== undefined)
    assert.ok(several.length > 15)
    for (const { chunk, multi = [], shown, failed } of several) {
      assert.equal(failed, false)
      assert.equal(multi[0], chunk)
      assert.ok(multi.length === 2 || multi.length === 3)
      for (const one of multi) assert.ok(shown.includes(one))
    }
  })

  it("refuses too few chunks, or shows fewer where it may", async () => {
    const few = chunksOf({ "a.txt": ["One thing."], "b.txt": ["Quite another matter."] })
    const error = await failing(few, { maxChunks: 3 })
    assert.equal(error._tag, "TooFewChunks")
    assert.match(error.found ?? "", / of 2$/)
    const items = await simulated(few, { maxChunks: 3, tooFew: "fewer" })
    assert.ok(items.every(({ shown }) => shown.length >= 1 && shown.length <= 2))
    const [alone] = few
    assert.equal((await failing([alone!], { tooFew: "fewer", failureShare: 1 }))._tag, "TooFewChunks")
  })
})

describe("simulateAsReference", () => {
  it("draws what CPython's generator gave the reference", async () => {
    const chunks = chunksOf(Object.fromEntries(Array.from({ length: 8 }, (_, key) => [`${key}`, [`${key}`]])))
    const items = await Effect.runPromise(simulateAsReference(chunks, { seed: 11037, failureShare: 0.5, maxChunks: 3 }))
    const drawn = items.map(
      ({ chunk, shown, failed }) =>
        `${chunk.source}:${failed ? "F" : "S"}[${shown.map(({ source }) => source).join()}]`,
    )
    assert.equal(drawn.join(" "), "0:F[6] 1:F[4,6] 2:F[4,3,6] 3:S[3] 4:S[4] 5:F[7] 6:F[7,0] 7:F[2]")
    const few = simulateAsReference(chunks.slice(0, 3), { seed: 1, failureShare: 0.5, maxChunks: 3 })
    assert.equal((await Effect.runPromise(Effect.flip(few)))._tag, "TooFewChunks")
  })
})
