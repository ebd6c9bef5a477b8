import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { readDatagenSettings } from "@tandem/datagen"
import { Effect } from "effect"
import { estimateFromDocuments, generateFromDocuments, readChunks } from "../../src/index.ts"

const root = mkdtempSync(join(tmpdir(), "tandem-data-"))
after(() => rmSync(root, { recursive: true, force: true }))

const input = join(root, "in")
mkdirSync(input)
writeFileSync(join(input, "pump.md"), "# Pump\n\nFill the pump with water.\n\nThen close the valve.\n")
writeFileSync(join(input, "broken.jsonl"), "no JSON\n")

const observe = () => Effect.void
const settings = (api: object = {}, system: object = {}, path: object = {}) =>
  readDatagenSettings({
    path: { input_dir: input, output_dir: join(root, "out"), ...path },
    api: {
      small_model: "s",
      small_base_url: "http://127.0.0.1:9/v1",
      large_model: "l",
      large_base_url: "http://127.0.0.1:9/v1",
      ...api,
    },
    system,
  })

const failing = (...given: Parameters<typeof settings>) =>
  settings(...given).pipe(
    Effect.flatMap((one) => generateFromDocuments(one, { observe })),
    Effect.flip,
    Effect.runPromise,
  )

describe("readChunks", () => {
  it("cuts documents to size and tells what was left out", async () => {
    const told: string[] = []
    const program = Effect.gen(function* () {
      const chunks = yield* readChunks(yield* settings({}, { chunk_size: 16 }), (event) =>
        Effect.sync(() => {
          if (event.event === "warning") told.push(event.message)
        }),
      )
      return [...chunks]
    }).pipe(Effect.scoped)
    const chunks = await Effect.runPromise(program)
    assert.ok(chunks.length >= 1)
    assert.ok(chunks.every(({ source }) => source === "pump.md"))
    assert.match(told.join(), /broken\.jsonl/)
  })
})

describe("generateFromDocuments", () => {
  it("names settings that cannot be used, and never shows a key", async () => {
    const written = await failing({ large_api_key: "sk-in-the-file" })
    assert.equal(written._tag, "InvalidDatagenSettings")
    assert.ok(!JSON.stringify(written).includes("sk-in"))
    const unset = await failing({ small_api_key: "$TANDEM_NO_SUCH_KEY" })
    assert.match(unset.message, /is not set/)
    const idle = await failing({}, { retrieval_encoder: "x" })
    assert.match(idle.message, /retrieval_encoder/)
    const nowhere = await failing({}, {}, { input_dir: join(root, "nowhere") })
    assert.equal(nowhere._tag, "NoDocuments")
    const size = await failing({}, { chunk_size: 3 })
    assert.equal(size._tag, "InvalidChunking")
  })

  it("estimates without asking and without leaving anything", async () => {
    const program = Effect.gen(function* () {
      const one = yield* settings(
        {},
        { too_few_chunks: "fewer", rag_failure_percentage: 0 },
        { output_dir: join(root, "new") },
      )
      return yield* estimateFromDocuments(one, { observe })
    })
    const { chunks, small, large } = await Effect.runPromise(program)
    assert.equal(chunks, 1)
    assert.deepEqual([small.calls, large.calls], [1, 1])
    assert.ok(small.inputTokens > 100 && large.inputTokens > 200)
    assert.throws(() => rmSync(join(root, "new")))
  })
})
