// One run, opened in a page under WebAssembly and under WebGPU, answers and embeds as on Node.
import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { after, before, test } from "node:test"
import { openRag } from "@tandem/rag/node/OpenRag"
import { Schema } from "effect"
import { questions, smallRun } from "../../packages/rag/test/support/SmallRun.ts"
import { openPage, type Page } from "../support/Chromium.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-rag-page-"))
const run = join(folder, "run")
const question = questions[3]!
let page: Page
before(async () => {
  await smallRun(run)
  page = await openPage("portable/ragPage.ts")
})
after(async () => {
  await page?.close()
  rmSync(folder, { recursive: true, force: true })
})

const Found = Schema.Struct({
  provider: Schema.String,
  embedding: Schema.Array(Schema.Number),
  events: Schema.Array(Schema.String),
  answer: Schema.String,
  sources: Schema.Array(Schema.String),
  logprob: Schema.Number,
})

const files = (): string =>
  JSON.stringify(
    Object.fromEntries(
      readdirSync(run, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.name.endsWith(".onnx"))
        .map(({ parentPath, name }) => {
          const path = join(parentPath, name)
          return [relative(run, path), readFileSync(path).toString("base64")]
        }),
    ),
  )

for (const device of ["wasm", "webgpu"]) {
  test(`a page under ${device} gives Node's answer, sources and embedding`, async () => {
    await using rag = await openRag(run, { threads: 1 })
    const expected = await rag.ask(question)
    const [vector] = await rag.embed([question], { as: "query" })
    const found = Schema.decodeUnknownSync(Found)(
      await page.call("answer", device, files(), question).catch((cause: unknown) => {
        throw new Error(`the page failed: ${page.printed.join("\n")}`, { cause })
      }),
    )
    assert.equal(found.provider, device)
    assert.equal(found.answer, expected.answer)
    assert.deepEqual(
      found.sources,
      expected.sources.map(({ id }) => id),
    )
    assert.ok(Math.abs(found.logprob - expected.confidence.logprob) < 1e-3 * Math.abs(expected.confidence.logprob))
    for (const [at, value] of vector!.entries()) assert.ok(Math.abs(value - found.embedding[at]!) < 1e-3)
    assert.deepEqual(found.events, ["sources", ...expected.tokens.map(() => "token"), "done"])
  })
}
