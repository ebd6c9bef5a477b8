// Runs that are of another format, lack a file, or were damaged: each ends in an error that names what is wrong.
import assert from "node:assert/strict"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { openRag } from "@tandem/rag/node/OpenRag"
import { smallRun } from "../support/SmallRun.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-rag-broken-"))
const whole = join(folder, "whole")
before(() => smallRun(whole))
after(() => rmSync(folder, { recursive: true, force: true }))

const refused = async (name: string, damage: (run: string) => void, expected: object) => {
  const run = join(folder, name)
  cpSync(whole, run, { recursive: true })
  damage(run)
  await assert.rejects(openRag(run, { threads: 1 }), expected, name)
}

const edit = (file: string, change: (text: string) => string) => writeFileSync(file, change(readFileSync(file, "utf8")))

test("what a run's folder lacks or holds wrongly is named", async () => {
  await assert.rejects(openRag(join(folder, "nowhere"), { threads: 1 }), { _tag: "InvalidRun", field: "run" })
  await refused("newer", (run) => edit(join(run, "config.json"), (text) => text.replace('"format":1', '"format":2')), {
    _tag: "InvalidRun",
    field: "format",
    expected: "1",
    found: "2",
  })
  await refused("no-json", (run) => writeFileSync(join(run, "config.json"), "{"), { _tag: "InvalidRun" })
  // Its ONNX file is there still, which is another encoder to an index.
  await refused("no-weights", (run) => rmSync(join(run, "retriever/model.safetensors")), { _tag: "StoreMismatch" })
  await refused("cut-weights", (run) => writeFileSync(join(run, "generator/model.safetensors"), "cut"), {
    _tag: "InvalidSafetensors",
  })
  await refused("no-prompt", (run) => rmSync(join(run, "generator/rag.json")), {
    _tag: "InvalidRun",
    field: "template",
  })
  await refused("no-index", (run) => rmSync(join(run, "store"), { recursive: true }), { _tag: "InvalidRun" })
  await refused(
    "damaged-index",
    (run) => {
      const name = readdirSync(join(run, "store")).find((file) => file.endsWith(".f32"))
      writeFileSync(join(run, "store", name!), new Uint8Array(16 * 32 * 4))
    },
    { _tag: "CorruptStore" },
  )
})

test("an index of another encoder, and a generator without anything to search, are refused", async () => {
  const other = await smallRun(join(folder, "other"), { seed: 1, retrieverAlone: true })
  await assert.rejects(openRag(whole, { store: join(other, "store"), threads: 1 }), {
    _tag: "StoreMismatch",
    field: "fingerprint",
  })
  await refused(
    "reader",
    (run) => {
      rmSync(join(run, "retriever"), { recursive: true })
      edit(join(run, "config.json"), (text) => text.replace("joint train", "ralt train"))
    },
    { _tag: "InvalidRun", field: "retriever" },
  )
  // With a retriever's run beside it, it answers.
  await using rag = await openRag(join(folder, "reader"), { retriever: other, threads: 1 })
  assert.equal((await rag.ask("who owns the mill?")).sources.length, 3)
})
