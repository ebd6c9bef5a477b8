// The same run over onnxruntime-web's WebAssembly, its files behind an address, in memory, whole and by ranges.
import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { after, before, test } from "node:test"
import { filesAt, filesInMemory } from "@tandem/files"
import { openRag } from "@tandem/rag/node/OpenRag"
import { openRag as openOnWeb } from "@tandem/rag/web/OpenRag"
import { questions, smallRun } from "./support/SmallRun.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-rag-web-"))
const run = join(folder, "run")
let server: Server
let address: string
const asked: string[] = []
before(async () => {
  await smallRun(run)
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const file = join(folder, decodeURIComponent(request.url ?? ""))
    const there = statSync(file, { throwIfNoEntry: false })?.isFile() === true
    if (!there) return response.writeHead(404).end()
    const bytes = readFileSync(file)
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")
    const body = range === null ? bytes : bytes.subarray(Number(range[1]), Number(range[2]) + 1)
    response.writeHead(range === null ? 200 : 206, { "content-length": body.length })
    return response.end(request.method === "HEAD" ? undefined : body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const found = server.address()
  assert.ok(found !== null && typeof found !== "string")
  address = `http://127.0.0.1:${found.port}`
})
after(() => {
  server?.close()
  rmSync(folder, { recursive: true, force: true })
})

const inMemory = () => {
  const files = readdirSync(run, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name)
      return [relative(run, path).replaceAll("\\", "/"), new Uint8Array(readFileSync(path))]
    }),
  )
}

test("a run behind an address and one in memory answer and embed as on Node", async () => {
  await using onNode = await openRag(run, { threads: 1 })
  const expected = await onNode.askBatch(questions.slice(0, 2))
  const [vector] = await onNode.embed([questions[0]!], { as: "query" })
  for (const files of [filesAt(`${address}/run`), filesInMemory(inMemory(), "memory")]) {
    await using rag = await openOnWeb(files)
    assert.equal(rag.facts.device.provider, "wasm")
    const found = await rag.askBatch(questions.slice(0, 2))
    assert.deepEqual(
      found.map(({ answer }) => answer),
      expected.map(({ answer }) => answer),
    )
    assert.deepEqual(
      found.map(({ sources }) => sources.map(({ id }) => id)),
      expected.map(({ sources }) => sources.map(({ id }) => id)),
    )
    const [embedded] = await rag.embed([questions[0]!], { as: "query" })
    for (const [at, value] of embedded!.entries()) assert.ok(Math.abs(value - vector![at]!) < 1e-3)
  }
  assert.ok(asked.some((line) => line === "GET /run/store/manifest.json"))
})

test("a server that fails, and one that has no run, are told apart", async () => {
  await assert.rejects(openOnWeb(`${address}/elsewhere`), { _tag: "InvalidRun", field: "run" })
  const failing = filesAt(address, { fetch: async () => new Response("no", { status: 503 }) })
  await assert.rejects(openOnWeb(failing), { _tag: "RunFolder", message: /503/ })
})
