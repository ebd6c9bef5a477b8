import assert from "node:assert/strict"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { replaceFolder } from "@tandem/files/node/ReplaceFolder"

const root = mkdtempSync(join(tmpdir(), "tandem-folders-"))
after(() => rmSync(root, { recursive: true, force: true }))

const writing =
  (files: Readonly<Record<string, string>>) =>
  async (aside: string): Promise<void> => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(aside, name, ".."), { recursive: true })
      writeFileSync(join(aside, name), content)
    }
  }

const read = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), "utf8")]),
  )

test("a folder is made, and replaced as a whole", async () => {
  const folder = join(root, "whole/deep/model")
  await replaceFolder(folder, writing({ a: "1", "below/b": "2" }))
  assert.deepEqual(read(folder), { a: "1", b: "2" })
  await replaceFolder(folder, writing({ c: "3" }))
  assert.deepEqual(read(folder), { c: "3" })
  await replaceFolder(folder, writing({}))
  assert.deepEqual(read(folder), {})
  assert.deepEqual(readdirSync(join(root, "whole/deep")), ["model"])
})

test("the old folder stays to the last moment, and for good where writing fails", async () => {
  const folder = join(root, "failing")
  await replaceFolder(folder, writing({ a: "old" }))
  const failing = async (aside: string) => {
    await writing({ a: "new" })(aside)
    assert.deepEqual(read(folder), { a: "old" })
    throw new Error("no more")
  }
  await assert.rejects(replaceFolder(folder, failing), /no more/)
  assert.deepEqual(read(folder), { a: "old" })
  assert.deepEqual(
    readdirSync(root).filter((name) => name.startsWith("failing.")),
    [],
  )
})

test("a file that may not be written to is flushed as well", async () => {
  const folder = join(root, "read-only")
  await replaceFolder(folder, async (aside) => {
    writeFileSync(join(aside, "a"), "1")
    chmodSync(join(aside, "a"), 0o444)
  })
  assert.deepEqual(read(folder), { a: "1" })
})

test("what dead writers of the same folder left goes; what living ones and those of other folders have stays", async () => {
  const folder = join(root, "left")
  const dead = "999999999-0123456789ab"
  const gone = [`model.${dead}.part`, `model.${dead}.old`]
  const kept = [`model.${process.ppid}-0123456789ab.part`, `model-2.${dead}.part`, "model.part"]
  for (const name of [...gone, ...kept]) mkdirSync(join(folder, name, "below"), { recursive: true })
  await replaceFolder(join(folder, "model"), writing({ a: "1" }))
  assert.deepEqual(readdirSync(folder).sort(), ["model", ...kept].sort())
})
