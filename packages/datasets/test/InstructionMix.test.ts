import assert from "node:assert/strict"
import { mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { Effect } from "effect"
import { type InstructionSet, instructionOf, mixInstructions } from "../src/index.ts"
import { readInstructionSets } from "../src/node/Instructions.ts"

const set = (name: string, size: number, rate: number): InstructionSet => ({
  name,
  rate,
  examples: Array.from({ length: size }, (_, at) =>
    instructionOf({ id: `${name}${at}`, query: "q", answers: ["r"], positives: [], negatives: [] }),
  ),
})
const sets = [set("small", 10, 1), set("large", 400, 2), set("rare", 50, 0.2)]
const ids = (seed: number | string, count?: number, of = sets) =>
  mixInstructions(of, count === undefined ? { seed } : { seed, count }).examples.map(({ id }) => id)

test("sets are drawn by their rates", () => {
  const { examples, sets: drawn } = mixInstructions(sets, { seed: 1, count: 8000 })
  assert.equal(examples.length, 8000)
  for (const [at, { name, share, drawn: times, epochs, examples: size }] of drawn.entries()) {
    assert.equal(size, sets[at]?.examples.length)
    assert.ok(Math.abs(share - sets[at]!.rate / 3.2) < 1e-12)
    // Within five standard deviations of a binomial count.
    assert.ok(Math.abs(times - 8000 * share) < 5 * Math.sqrt(8000 * share * (1 - share)), `${name}: ${times}`)
    assert.equal(times, examples.filter((example) => example.set === name).length)
    assert.equal(epochs, times / size)
  }
})

test("no example comes again before all of its set have come, each time in another order", () => {
  const small = ids(1, 8000).filter((id) => id.startsWith("small"))
  const epochs = Array.from({ length: Math.floor(small.length / 10) }, (_, at) => small.slice(10 * at, 10 * at + 10))
  assert.ok(epochs.length > 100)
  for (const epoch of epochs) assert.equal(new Set(epoch).size, 10)
  assert.ok(new Set(epochs.map(String)).size > 100)
})

test("the seed decides, and a longer mixture begins as a shorter one", () => {
  assert.deepEqual(ids(1), ids(1))
  assert.notDeepEqual(ids(1), ids(2))
  assert.notDeepEqual(ids(1), ids("1"))
  assert.equal(ids(1).length, 460)
  assert.deepEqual(ids(1, 1000).slice(0, 300), ids(1, 300))
  // Only the proportions of the rates count.
  assert.deepEqual(
    ids(
      1,
      500,
      sets.map((one) => ({ ...one, rate: one.rate * 4 })),
    ),
    ids(1, 500),
  )
})

test("sets that cannot be mixed are refused", () => {
  const mix =
    (...of: readonly InstructionSet[]) =>
    () =>
      mixInstructions(of, { seed: 1 })
  assert.throws(mix(), RangeError)
  assert.throws(mix(set("a", 1, 1), set("a", 1, 1)), /two instruction sets have the name a/)
  assert.throws(mix(set("a", 0, 1)), /the instruction set a has no examples/)
  for (const rate of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) assert.throws(mix(set("a", 1, rate)), RangeError)
})

test("sets of files, each with its template, are mixed and counted", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mix-"))
  const save = async (name: string, ...rows: readonly object[]): Promise<string> => {
    await writeFile(join(folder, name), rows.map((row) => JSON.stringify(row)).join("\n"))
    return join(folder, name)
  }
  const qa = await save("qa.jsonl", { query: "Who?", answers: ["Ann"] }, { query: "When?", answers: [] })
  const sum = await save("sum.jsonl", { text: "Long.", gist: "Short." })
  const mix = await Effect.runPromise(
    readInstructionSets(
      [
        { files: qa, rate: 3 },
        { files: [sum], rate: 1, name: "summaries", template: { query: "Sum up: {text}", response: "{gist}" } },
      ],
      { seed: 5, count: 40 },
    ),
  )
  const [first, second] = mix.sets
  assert.deepEqual([first?.name, first?.share, first?.statistics.droppedUntrained], ["qa", 0.75, 1])
  assert.deepEqual(
    first?.warnings.map(({ kind }) => kind),
    ["untrained"],
  )
  assert.deepEqual([second?.name, second?.examples, second?.warnings], ["summaries", 1, []])
  assert.equal((first?.drawn ?? 0) + (second?.drawn ?? 0), 40)
  const example = mix.examples.find((one) => one.set === "summaries")
  assert.ok(example?.kind === "messages" && example.messages[0]?.content === "Sum up: Long.")
})
