import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { CorruptStoreError, Exact, StoreAccessError } from "@tandem/store"
import { holdsStore, nodeFolder } from "@tandem/store/node/StoreFolder"
import * as Usearch from "@tandem/store/node/Usearch"
import { Effect } from "effect"

const dimension = 4
const identity = { dimension, similarity: "dot" as const, fingerprint: "encoder" }

const contents = (count: number) => ({
  identity,
  passages: Array.from({ length: count }, (_, i) => ({
    id: `p${i}`,
    text: `text\n"${i}" ü 🜁`,
    ...(i % 2 === 0 ? { title: "T", metadata: { page: i, tags: ["a"] } } : {}),
  })),
  vectors: Float32Array.from({ length: count * dimension }, (_, i) => Math.fround(Math.sin(i))),
})

const withPath = async (use: (path: string) => Promise<void>): Promise<void> => {
  const path = await mkdtemp(join(tmpdir(), "tandem-folder-"))
  try {
    await use(path)
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

const save = (path: string, count: number) => Effect.runPromise(nodeFolder(path).save(contents(count), []))
const load = (path: string) => Effect.runPromise(nodeFolder(path).load)
const loadError = (path: string) => Effect.runPromise(Effect.flip(nodeFolder(path).load))

const fileOf = async (path: string, kind: "vectors" | "passages"): Promise<string> => {
  const names = (await readdir(path)).filter((name) => name.startsWith(kind))
  assert.equal(names.length, 1)
  return join(path, names[0] ?? "")
}

test("what was saved comes back, text and numbers exact", () =>
  withPath(async (path) => {
    const folder = join(path, "deep", "store")
    assert.equal(await Effect.runPromise(holdsStore(folder)), false)
    await save(folder, 5)
    assert.equal(await Effect.runPromise(holdsStore(folder)), true)
    const loaded = await load(folder)
    assert.deepEqual(loaded.contents, contents(5))
    assert.deepEqual([...loaded.caches], [])
    const manifest: unknown = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8"))
    assert.ok(typeof manifest === "object" && manifest !== null && "format" in manifest && "count" in manifest)
    assert.deepEqual([manifest.format, manifest.count], [1, 5])
  }))

test("a save replaces the files of the one before, and leaves files of others alone", () =>
  withPath(async (path) => {
    await writeFile(join(path, "notes.txt"), "mine")
    await save(path, 5)
    await save(path, 3)
    assert.equal((await load(path)).contents.passages.length, 3)
    assert.deepEqual((await readdir(path)).map((name) => name.replace(/-\d+-[0-9a-f]+/, "")).sort(), [
      "manifest.json",
      "notes.txt",
      "passages.jsonl",
      "vectors.f32",
    ])
  }))

test("a file that is cut off names itself and both sizes", () =>
  withPath(async (path) => {
    for (const kind of ["vectors", "passages"] as const) {
      await save(path, 5)
      const file = await fileOf(path, kind)
      const size = (await readFile(file)).length
      await truncate(file, size - 3)
      const error = await loadError(path)
      assert.ok(error instanceof CorruptStoreError)
      assert.deepEqual([error.file, error.expected, error.found], [file, `${size} bytes`, `${size - 3} bytes`])
    }
  }))

test("a file with a changed byte, a longer one and a missing one are found", () =>
  withPath(async (path) => {
    await save(path, 5)
    const file = await fileOf(path, "vectors")
    const bytes = await readFile(file)
    bytes[7] = (bytes[7] ?? 0) ^ 1
    await writeFile(file, bytes)
    const changed = await loadError(path)
    assert.ok(changed instanceof CorruptStoreError)
    assert.match(changed.message, /content is not what was written/)
    await appendFile(file, "x")
    assert.match((await loadError(path)).message, /size is not/)
    await rm(file)
    const missing = await loadError(path)
    assert.match(missing.message, /missing/)
    assert.equal(missing.file, file)
  }))

test("a manifest that is cut off, of another format or pointing outside the folder is refused", () =>
  withPath(async (path) => {
    await save(path, 2)
    const file = join(path, "manifest.json")
    const text = await readFile(file, "utf8")
    for (const bad of [
      text.slice(0, 40),
      "",
      text.replace('"format": 1', '"format": 2'),
      text.replace(/"vectors-[^"]+"/, '"../elsewhere"'),
      text.replace('"count": 2', '"count": 3'),
    ]) {
      await writeFile(file, bad)
      const error = await loadError(path)
      assert.ok(error instanceof CorruptStoreError, bad)
      assert.equal(error.file, file)
    }
    await writeFile(file, text)
    assert.equal((await load(path)).contents.passages.length, 2)
  }))

test("a folder that cannot be written is an error that names it", () =>
  withPath(async (path) => {
    const file = join(path, "file")
    await writeFile(file, "")
    const error = await Effect.runPromise(Effect.flip(nodeFolder(join(file, "store")).save(contents(1), [])))
    assert.ok(error instanceof StoreAccessError)
    assert.match(error.message, /cannot be written/)
  }))

test("a save that fails leaves the store before it, and no files", () =>
  withPath(async (path) => {
    await save(path, 4)
    const before = (await readdir(path)).sort()
    const failing = [
      {
        name: "broken",
        write: () => {
          throw new Error("no space left")
        },
      },
    ]
    const error = await Effect.runPromise(Effect.flip(nodeFolder(path).save(contents(9), failing)))
    assert.ok(error instanceof StoreAccessError)
    assert.deepEqual((await readdir(path)).sort(), before)
    assert.equal((await load(path)).contents.passages.length, 4)
  }))

test("stores of both kinds open each other's folders; usearch's index is read back, or built where it does not fit", () =>
  withPath(async (path) => {
    const folder = nodeFolder(path)
    const query = Float32Array.of(0.3, -0.2, 0.9, 0.1)
    await Effect.runPromise(
      Effect.gen(function* () {
        const exact = yield* Exact.make(identity)
        yield* exact.replace(contents(50))
        const expected = yield* exact.search({ vectors: query, k: 8 })
        yield* exact.snapshot(folder)
        const built = yield* Usearch.open(folder, identity)
        assert.deepEqual(yield* built.search({ vectors: query, k: 8 }), expected)
        yield* built.snapshot(folder)
        const { caches } = yield* folder.load
        assert.deepEqual([...caches.keys()], ["usearch-2"])
        const cached = yield* Usearch.open(folder, identity, { expansionSearch: 64 })
        assert.deepEqual(yield* cached.search({ vectors: query, k: 8 }), expected)
        const again = yield* Exact.open(folder, { fingerprint: "encoder" })
        assert.deepEqual(yield* again.search({ vectors: query, k: 8 }), expected)
        yield* folder.save(contents(50), [
          { name: "usearch-2", write: (file) => writeFileSync(file, "whole, and no index") },
        ])
        const rebuilt = yield* Usearch.open(folder, identity)
        assert.deepEqual(yield* rebuilt.search({ vectors: query, k: 8 }), expected)
      }),
    )
  }))

test("killed at any moment, the folder holds one whole store", () =>
  withPath(async (path) => {
    const script = fileURLToPath(new URL("./save-loop.ts", import.meta.url))
    for (const delay of [5, 12, 23, 38, 57, 80, 108, 141]) {
      const child = spawn(process.execPath, [script, path], { stdio: ["ignore", "pipe", "inherit"] })
      const exited = once(child, "exit")
      await once(child.stdout, "data")
      await setTimeout(delay)
      child.kill("SIGKILL")
      await exited
      const { contents } = await load(path)
      const seed = Number(contents.identity.fingerprint.replace("generation-", ""))
      assert.ok(seed >= 1)
      assert.equal(contents.passages.length, 100 + (seed % 7) * 150)
      assert.ok(contents.passages.every(({ id }, i) => id === `${seed}-${i}`))
      assert.ok(contents.vectors.every((value) => value === seed))
    }
    await save(path, 2)
    assert.equal((await readdir(path)).length, 3, "the next save removes what the killed writers left")
  }))

test("who opens a folder while it is saved again and again gets one whole store", () =>
  withPath(async (path) => {
    await save(path, 1)
    const writer = (async () => {
      for (let count = 2; count < 40; count++) await save(path, count)
    })()
    for (let i = 0; i < 40; i++) {
      const loaded = await load(path)
      assert.deepEqual(loaded.contents, contents(loaded.contents.passages.length))
    }
    await writer
    assert.equal((await load(path)).contents.passages.length, 39)
  }))
