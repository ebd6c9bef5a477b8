import assert from "node:assert/strict"
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { Effect } from "effect"
import { addDocuments } from "../../src/AddDocuments.ts"
import { indexDpr } from "../../src/IndexDpr.ts"
import { searchDpr } from "../../src/SearchDpr.ts"
import { writeOwn } from "../support/FewExamples.ts"
import { golden, scratchFolder, succeed, tandem, trained } from "../support/Tandem.ts"

const scratch = scratchFolder()
const notes = join(scratch, "notes")
const write = (name: string, text: string | Uint8Array) => {
  mkdirSync(notes, { recursive: true })
  writeFileSync(join(notes, name), text)
}
const sentence = (name: string, from: number) =>
  Array.from({ length: 6 }, (_, i) => `The ${name} number ${from + i} stands in the town by the river.`).join(" ")

test("an index follows a folder of documents, and the corpus of a run may be one", async () => {
  write("a.md", `# Towers\n\n${sentence("tower", 0)}\n\n${sentence("tower", 10)}`)
  write("b.txt", sentence("song", 0))
  write("c.txt", sentence("bridge", 0))
  write("broken.pdf", "no PDF")
  const run = join(scratch, "run")
  const { data, corpus } = writeOwn(scratch)
  await trained(
    ...["--data", data, "--corpus", corpus, "--model", "tiny", "--batch-size", "3"],
    ...["--max-length", "256", "--out", run],
  )

  const base = { run, device: "cpu", threads: 1 } as const
  const silent = { observe: () => Effect.void }
  const indexed = await Effect.runPromise(indexDpr({ ...base, corpus: notes, out: join(scratch, "other") }, silent))
  assert.ok(indexed.passages >= 3)

  // Both divide alike where nobody says otherwise; divided otherwise, the documents would stand in the index twice.
  const other = { ...base, folder: notes, store: join(scratch, "other") }
  const twice = Effect.flip(addDocuments({ ...other, chunkSize: 40 }, silent))
  assert.match((await Effect.runPromise(twice)).message, /twice/)
  const alike = await Effect.runPromise(addDocuments(other, silent))
  assert.deepEqual([alike.encoded, alike.left, alike.passages], [0, 0, indexed.passages])

  const store = join(scratch, "index")
  const add = (options: { readonly chunkSize?: number; readonly store?: string } = {}) =>
    Effect.runPromise(addDocuments({ ...base, folder: notes, store, ...options }, silent))
  const [first] = await succeed("store", "add", notes, "--run", run, "--store", store, "--chunk-size", "40")
  assert.deepEqual([first.read, first.unchanged, first.removed, first.skipped], [4, 0, 0, 1])
  assert.equal(first.encoded, first.passages)

  const again = await add()
  // What cannot be read is tried again.
  assert.deepEqual([again.read, again.unchanged, again.encoded, again.passages], [1, 3, 0, first.passages])

  write("a.md", `# Towers\n\n${sentence("tower", 0)}\n\n${sentence("hill", 10)}`)
  rmSync(join(notes, "b.txt"))
  write("d.txt", sentence("harbour", 0))
  const changed = await add()
  assert.deepEqual([changed.read, changed.unchanged, changed.removed], [3, 1, 1])
  assert.ok(changed.encoded > 0 && changed.encoded < changed.passages)
  assert.equal(changed.passages, first.passages + changed.encoded - changed.left)

  const anew = await add({ store: join(scratch, "anew"), chunkSize: 40 })
  assert.equal(anew.passages, changed.passages)
  const search = async (index: string) => {
    const questions = ["the harbour number 3"]
    const found = await Effect.runPromise(searchDpr({ ...base, store: index, questions, k: 50 }, silent))
    return found
      .flat()
      .map(({ id, score }) => `${id} ${score.toFixed(5)}`)
      .sort()
  }
  assert.deepEqual(await search(store), await search(anew.store))

  // A renamed folder is the same one, and nobody else may work on an index that is being written.
  const moved = join(scratch, "moved")
  renameSync(notes, moved)
  const renamed = await Effect.runPromise(addDocuments({ ...base, folder: moved, store }, silent))
  assert.deepEqual([renamed.encoded, renamed.left, renamed.passages], [0, 0, changed.passages])
  assert.deepEqual(Object.keys(JSON.parse(readFileSync(join(store, "documents.json"), "utf8")).folders), [moved])
  renameSync(moved, notes)
  await add()
  writeFileSync(`${store}.lock`, `${process.ppid}`)
  const locked = Effect.flip(addDocuments({ ...base, folder: notes, store }, silent))
  assert.equal((await Effect.runPromise(locked))._tag, "RunLocked")
  rmSync(`${store}.lock`)

  const resized = await add({ chunkSize: 30 })
  assert.ok(resized.passages > changed.passages)
})

test("a folder without documents is refused", async () => {
  const empty = join(scratch, "empty")
  mkdirSync(empty)
  const model = golden("sentence-transformers-tiny")
  const refused = async (...args: readonly string[]) => {
    const ended = await tandem(["store", "add", empty, "--json", ...args])
    return [ended.code, JSON.parse(ended.stdout).error.tag]
  }
  assert.deepEqual(await refused("--model", model, "--store", join(scratch, "none")), [3, "NoDocuments"])
  const none = { model, folder: empty, device: "cpu" } as const
  const failure = (settings: Parameters<typeof addDocuments>[0]) =>
    Effect.runPromise(Effect.flip(addDocuments(settings, { observe: () => Effect.void })))
  assert.equal((await failure(none))._tag, "Settings")
  assert.equal((await failure({ ...none, store: join(scratch, "none"), chunkSize: 4 }))._tag, "Settings")
})
