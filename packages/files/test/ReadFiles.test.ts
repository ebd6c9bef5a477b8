// One folder, read from the disk, from memory and over HTTP: the same bytes, sizes, parts and absences.
import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { fileName, filesAt, filesBelow, filesInMemory, holdsFile } from "@tandem/files"
import { filesIn } from "@tandem/files/node/FilesIn"

const contents: Readonly<Record<string, string>> = { "a.json": "{}", "onnx/model with space.onnx": "0123456789" }
const folder = mkdtempSync(join(tmpdir(), "tandem-files-"))
const seen: string[] = []
let sent = 0
let server: Server
let address = ""
before(async () => {
  mkdirSync(join(folder, "onnx"))
  for (const [path, text] of Object.entries(contents)) writeFileSync(join(folder, path), text)
  // `/whole/` ignores ranges, `/broken/` fails.
  server = createServer((request, response) => {
    const [, place, ...path] = decodeURIComponent(request.url ?? "").split("/")
    seen.push(`${request.headers.authorization ?? ""}`)
    if (place === "broken") return response.writeHead(500).end()
    const text = contents[path.join("/")]
    if (text === undefined) return response.writeHead(404).end()
    const range = place === "whole" ? null : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")
    const body = range === null ? text : text.slice(Number(range[1]), Number(range[2]) + 1)
    if (request.method !== "HEAD") sent += body.length
    return response
      .writeHead(range === null ? 200 : 206, { "content-length": body.length })
      .end(request.method === "HEAD" ? undefined : body)
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

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes)

const places = {
  disk: () => filesIn(folder),
  memory: () =>
    filesInMemory(
      Object.fromEntries(Object.entries(contents).map(([path, each]) => [path, new TextEncoder().encode(each)])),
    ),
  "a server": () => filesAt(`${address}/parts/`),
  "a server without ranges": () => filesAt(new URL(`${address}/whole`)),
}

for (const [name, open] of Object.entries(places)) {
  test(`files of ${name}`, async () => {
    const files = open()
    const model = "onnx/model with space.onnx"
    assert.equal(text(await files.read("a.json")), "{}")
    assert.equal(await files.read("b.json"), undefined)
    assert.deepEqual([await holdsFile(files, "a.json"), await holdsFile(files, "onnx/none")], [true, false])
    assert.deepEqual(await files.stat?.(model), { size: 10 })
    assert.equal(text(await files.readRange?.(model, 2, 5)), "234")
    assert.equal(text(await files.readRange?.(model, 8, 20)), "89")
    assert.equal(text(await files.readRange?.(model, 3, 3)), "")
    const below = filesBelow(files, "onnx")
    assert.equal(text(await below.read("model with space.onnx")), contents[model])
    assert.equal(fileName(below, "x"), fileName(files, "onnx/x"))
    if (files.list === undefined) return
    assert.deepEqual(await files.list(""), ["a.json", "onnx/"])
    assert.deepEqual(await below.list?.(""), ["model with space.onnx"])
    assert.deepEqual(await files.list("nowhere"), [])
  })
}

test("a server that fails is no server without the file, and requests bring what they are told to", async () => {
  const files = filesAt(`${address}/broken`, { headers: { authorization: "Bearer key" } })
  await assert.rejects(files.read("a.json"), /answered 500 for a\.json/)
  await assert.rejects(holdsFile(files, "a.json"), /500/)
  assert.equal(seen.at(-1), "Bearer key")
})

test("of a server without ranges a file is sent once, however many of its parts are asked for", async () => {
  const { readRange, read } = filesAt(`${address}/whole`)
  assert.ok(readRange !== undefined)
  const model = "onnx/model with space.onnx"
  assert.equal(text(await readRange(model, 0, 2)), "01")
  sent = 0
  const parts = await Promise.all([readRange(model, 2, 4), readRange(model, 4, 6), readRange(model, 9, 12)])
  assert.deepEqual(parts.map(text), ["23", "45", "9"])
  assert.equal(sent, 0)
  assert.deepEqual((await Promise.all([readRange("a.json", 0, 1), readRange("a.json", 1, 2)])).map(text), ["{", "}"])
  await assert.rejects(readRange("none", 0, 1), /the server has no none/)
  assert.equal(text(await read(model)), "0123456789")
})

test("a large file is read as it was sent, whatever length was announced", async () => {
  const large = Uint8Array.from({ length: 3 * 2 ** 20 + 7 }, (_, index) => (index * 31) % 251)
  const pieces = [large.subarray(0, 5), large.subarray(5, 2 ** 20), large.subarray(2 ** 20)]
  /** A body of bytes that comes in pieces. */
  const answer = (length: number) => {
    const left = [...pieces]
    const body = new ReadableStream({
      type: "bytes",
      pull: (controller) => {
        const piece = left.shift()
        if (piece !== undefined) return controller.enqueue(piece.slice())
        controller.close()
        controller.byobRequest?.respond(0)
      },
    })
    return new Response(body, { headers: { "content-length": `${length}` } })
  }
  const files = (length: number) => filesAt("http://large.test", { fetch: async () => answer(length) })
  // What is compressed on its way is longer than what was announced.
  for (const length of [large.length, 2 ** 21]) assert.deepEqual(await files(length).read("model"), large, `${length}`)
})
