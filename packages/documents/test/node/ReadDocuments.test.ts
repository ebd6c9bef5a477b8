import assert from "node:assert/strict"
import { symlink } from "node:fs/promises"
import { join } from "node:path"
import { test } from "node:test"
import { isProblem } from "@tandem/documents"
import { type ReadDocumentsOptions, readDocuments } from "@tandem/documents/node/ReadDocuments"
import { Effect, Stream } from "effect"
import { folderOf } from "../files/Folder.ts"

const read = (folder: string, options?: ReadDocumentsOptions) =>
  Effect.runPromise(Stream.runCollect(readDocuments(folder, options)))

const summary = async (folder: string, options?: ReadDocumentsOptions) =>
  (await read(folder, options)).map((item) => [item.source, isProblem(item) ? item.reason : item.text])

test("documents come in the order of their names, from all folders, with paths of forward slashes", async (t) => {
  const folder = await folderOf(t, {
    "b.txt": "One.\r\n\r\n\r\n  Two. \r\n",
    "a/deep/c.md": "Three.",
    "a/image.png": "no document",
    ".git/hidden.txt": "hidden",
    "node_modules/package/readme.md": "of others",
  })
  assert.deepEqual(await summary(folder), [
    ["a/deep/c.md", "Three."],
    ["b.txt", "One.\n\n  Two."],
  ])
})

test("a bad line of JSON Lines is reported by its number, and the others are read", async (t) => {
  const folder = await folderOf(t, {
    "a.jsonl": '{"text": "One."}\n\n{"text": 3}\n[]\n{"text": \r\n{"text": "Two.", "title": "T"}\n{"text": " "}',
  })
  const items = await read(folder)
  assert.deepEqual(
    items.map((item) => (isProblem(item) ? [item.line, item.reason] : [item.source, item.title, item.text])),
    [
      ["a.jsonl#1", undefined, "One."],
      [3, "bad-line"],
      [4, "bad-line"],
      [5, "bad-line"],
      ["a.jsonl#6", "T", "Two."],
      [7, "empty"],
    ],
  )
})

test("what cannot be read is reported with its reason and skipped", async (t) => {
  const folder = await folderOf(t, {
    "binary.txt": Uint8Array.of(65, 0, 1, 2),
    "empty.txt": "",
    "empty.jsonl": "\n",
    "huge.txt": "x".repeat(3000),
    "huge.jsonl": `{"text": "${"x".repeat(3000)}"}\n{"text": "Short."}`,
    "latin.txt": Uint8Array.of(65, 0xe9, 66, 67),
    "spaces.md": " \n\n ",
    "wide.txt": Uint8Array.of(0xff, 0xfe, 0x48, 0, 0x69, 0),
  })
  assert.deepEqual(await summary(folder, { maxBytes: 1000 }), [
    ["binary.txt", "binary"],
    ["empty.jsonl", "empty"],
    ["empty.txt", "empty"],
    ["huge.jsonl#1", "too-large"],
    ["huge.jsonl#2", "Short."],
    ["huge.txt", "too-large"],
    ["latin.txt", "binary"],
    ["spaces.md", "empty"],
    ["wide.txt", "Hi"],
  ])
})

test("links out of the folder are not followed, loops end, and dead links are told", async (t) => {
  const outside = await folderOf(t, { "secret.txt": "outside" })
  const folder = await folderOf(t, { "a/a.txt": "inside" })
  await symlink(join(outside, "secret.txt"), join(folder, "link.txt"))
  await symlink(outside, join(folder, "linked"))
  await symlink(folder, join(folder, "a", "loop"))
  await symlink(join(folder, "a", "a.txt"), join(folder, "again.txt"))
  await symlink(join(folder, "nothing"), join(folder, "dead.txt"))
  assert.deepEqual(await summary(folder), [
    ["dead.txt", "unreadable"],
    ["link.txt", "outside"],
    ["linked", "outside"],
    ["a/a.txt", "inside"],
  ])
})

test("a folder that is not there ends in an error, one without documents in nothing", async (t) => {
  const folder = await folderOf(t, { "a.png": "no document" })
  assert.deepEqual(await summary(folder), [])
  assert.equal(
    (await Effect.runPromise(Effect.flip(Stream.runDrain(readDocuments(join(folder, "none"))))))._tag,
    "NoDocuments",
  )
})
