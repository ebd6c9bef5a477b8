// Damaged files of several exporters, from bytes to the report on what trains, and of every format that is read: a tagged
// error that names the file, the same result, or one that the format cannot tell from the whole file's (`Target.permits`).
// $TANDEM_FUZZ mutations of each format; 500 where it is not set.
import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { inspectModel } from "@tandem/inspection"
import { isModelError } from "@tandem/models"
import { prepareGraph } from "@tandem/models/exported/PrepareGraph"
import { readModel } from "@tandem/onnx"
import { readSafetensors } from "@tandem/safetensors"
import { Effect, Exit } from "effect"
import { damagedModel, damagedSafetensors, seeded } from "./support/Damage.ts"
import { runFuzz, targetNames } from "./support/fuzz/RunFuzz.ts"
import { onCpu } from "./support/Golden.ts"

const golden = fileURLToPath(new URL("./golden", import.meta.url))
const files = (ending: string): readonly string[] =>
  readdirSync(golden, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ending))
    .sort()
const bytesOf = (file: string): Uint8Array => new Uint8Array(readFileSync(join(golden, file)))

const models = files(".onnx")
const references = files("reference.safetensors")
const mebibyte = 2 ** 20

/** The result of `body`, or undefined where it ends in a tagged error; anything else fails the test. */
const attempt = <A>(what: string, body: () => A): A | undefined => {
  try {
    return body()
  } catch (error) {
    assert.ok(isModelError(error), `${what}: ${error instanceof Error ? error.stack : String(error)}`)
    return undefined
  }
}

test("damaged models are read and prepared, or refused with a tagged error", () => {
  assert.ok(models.length >= 6)
  let [refused, prepared] = [0, 0]
  for (const [index, file] of models.entries()) {
    const bytes = bytesOf(file)
    for (let round = 0; round < 10; round++) {
      const seed = 100 * index + round
      const what = `${file}, seed ${seed}`
      const graph = attempt(what, () => readModel(damagedModel(bytes, seeded(seed))))
      if (graph === undefined) refused++
      else if (attempt(what, () => prepareGraph(graph)) !== undefined) prepared++
    }
  }
  assert.ok(refused > models.length && prepared > models.length, `${refused} refused, ${prepared} prepared`)
})

test("whatever can be read of damaged models is inspected, within bounded time and memory", async () => {
  const before = process.memoryUsage().rss
  // Every few files, so that each exporter and several architectures are among them.
  const chosen = models.filter((_, index) => index % Math.ceil(models.length / 8) === 0)
  const readable = chosen.flatMap((file, index) => {
    const bytes = bytesOf(file)
    return Array.from({ length: 12 }, (_, round) => 10_000 + 100 * index + round).flatMap((seed) => {
      const what = `${file}, seed ${seed}`
      const graph = attempt(what, () => readModel(damagedModel(bytes, seeded(seed))))
      return graph === undefined ? [] : [{ what, graph }]
    })
  })
  assert.ok(readable.length > chosen.length)
  await onCpu(
    Effect.gen(function* () {
      for (const { what, graph } of readable) {
        const exit = yield* inspectModel(graph, { batch: 1, length: 4 }).pipe(Effect.timeout("60 seconds"), Effect.exit)
        assert.ok(Exit.isSuccess(exit), `${what}: ${exit}`)
        assert.ok(exit.value.trainable <= exit.value.parameters, what)
      }
    }),
  )
  const grown = (process.memoryUsage().rss - before) / mebibyte
  assert.ok(grown < 1536, `${Math.round(grown)} MiB more`)
})

const rounds = Number(process.env["TANDEM_FUZZ"] ?? 500)

for (const [index, name] of (await targetNames()).entries()) {
  test(`${name}: ${rounds} mutations`, async () => {
    const { refused, same, others, failures } = await runFuzz(index, 0, rounds)
    assert.deepEqual(failures, [])
    const read = Object.values(others).reduce((sum, count) => sum + count, same)
    assert.equal(refused + read, rounds)
    assert.ok(refused > rounds / 4 && read > 0, `${refused} refused, ${read} read`)
  })
}

test("damaged safetensors are read or refused with a tagged error", () => {
  assert.ok(references.length >= 2)
  let refused = 0
  for (const [index, file] of references.entries()) {
    const bytes = bytesOf(file)
    for (let round = 0; round < 12; round++) {
      const seed = 100_000 + 100 * index + round
      if (
        attempt(`${file}, seed ${seed}`, () => readSafetensors(damagedSafetensors(bytes, seeded(seed)))) === undefined
      )
        refused++
    }
  }
  assert.ok(refused > 5 * references.length)
})
