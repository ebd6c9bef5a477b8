import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { Effect } from "effect"
import { changedSince } from "../../src/node/RunIdentity.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-identity-"))
after(() => rmSync(folder, { recursive: true, force: true }))
const config = join(folder, "config.json")
const [one, other] = ["1".repeat(64), "2".repeat(64)]

type Hashes = Readonly<Record<string, string>>

/** What is told of a run beside the one that `config` records. */
const changed = (
  {
    settings = { out: "b", seed: 0 },
    data = { "t.jsonl": one },
    models = { query: one },
  }: {
    readonly settings?: object
    readonly data?: Hashes
    readonly models?: Hashes
  },
  recorded: object = { settings: { seed: 0, out: "a" }, data: { "t.jsonl": one }, models: { query: one } },
) => {
  writeFileSync(config, JSON.stringify(recorded))
  return Effect.runPromise(changedSince(config, settings, { data, models }))
}

const since = `has changed since the run of ${config}: expected SHA-256 111111111111…, found SHA-256 222222222222…`

test("changed files are named, with what was expected and found", async () => {
  assert.deepEqual(await changed({}), [])
  assert.deepEqual(await changed({ data: { "t.jsonl": other } }), [`t.jsonl ${since}`])
  assert.deepEqual(await changed({ data: { "another.jsonl": other } }), [])
})

test("a changed model is told where settings and data are the same, because both may decide it", async () => {
  assert.deepEqual(await changed({ models: { query: other } }), [`the model query ${since}`])
  assert.deepEqual(await changed({ models: { query: other }, settings: { seed: 1 } }), [])
  assert.deepEqual(await changed({ models: { query: other }, data: { "t.jsonl": other } }), [`t.jsonl ${since}`])
})

test("a run that recorded no hashes is told", async () => {
  assert.match((await changed({}, { settings: {} })).join(), /does not say which data and models its run had/)
})
