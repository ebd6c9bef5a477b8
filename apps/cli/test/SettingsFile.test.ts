// Settings out of files: the documented example, the spellings of keys, and a run's own config.json.
import assert from "node:assert/strict"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { dprTrainApp } from "@tandem/dpr/TrainApp"
import * as Effect from "effect/Effect"
import { trainSettings } from "../src/TrainSettings.ts"
import { makeFolder, smallRun, tandem, writeData } from "./support/Tandem.ts"

const folder = makeFolder()
after(folder.remove)

/** The settings that a file gives beside flags. */
const settingsOf = (content: string, single: Readonly<Record<string, string>> = {}) => {
  const file = join(folder.path, "settings.yaml")
  writeFileSync(file, content)
  return Effect.runPromise(
    Effect.map(trainSettings(dprTrainApp, { single, groups: {} }, file), ({ settings }) => settings),
  )
}

const needed = "data: d.jsonl\nmodel: tiny\nout: run\n"

/** The losses of a run, in order. */
const losses = (run: string): readonly number[] =>
  readFileSync(join(run, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).loss)

const documented = (): string => {
  const page = readFileSync(new URL("../../../docs/formats.md", import.meta.url), "utf8")
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1]
  assert.ok(example !== undefined, "docs/formats.md has a YAML example")
  return example
}

test("the documented example says what it seems to, and a run of it ends well", async () => {
  const { data, dev, corpus, model, untied, tiny, batchSize, lr } = await settingsOf(documented(), { out: "run" })
  assert.deepEqual(
    { data, dev, corpus, model, untied, batchSize, lr, tiny: [tiny?.hidden, tiny?.layers, tiny?.heads] },
    {
      ...{ data: ["train.jsonl"], dev: ["dev.jsonl"], corpus: "corpus.jsonl", model: "tiny" },
      ...{ untied: true, batchSize: 32, lr: { all: 1e-3, passage: 5e-4 }, tiny: [64, 1, 4] },
    },
  )
  const cwd = join(folder.path, "example")
  const files = writeData(join(cwd, "made"))
  mkdirSync(cwd, { recursive: true })
  for (const name of ["train.jsonl", "dev.jsonl"]) writeFileSync(join(cwd, name), readFileSync(files.data))
  writeFileSync(join(cwd, "corpus.jsonl"), readFileSync(files.corpus))
  writeFileSync(join(cwd, "settings.yaml"), documented())
  const args = ["dpr", "train", "--config", "settings.yaml", "--out", "run", "--threads", "1", "--no-index"]
  const { code, stderr } = await tandem(args, undefined, { cwd })
  assert.equal(code, 0, stderr)
})

test("kebab, snake and camel keys, and the flag of a group's key, are one", async () => {
  const expected = await settingsOf(`${needed}batchSize: 8\nweightDecay: 0.5\ntiny: { hidden: 8 }\n`)
  for (const spelt of [
    "batch-size: 8\nweight-decay: 0.5\ntiny-hidden: 8\n",
    "batch_size: 8\nweight_decay: 0.5\ntiny_hidden: 8\n",
    "batchSize: 8\nweight-decay: 0.5\ntinyHidden: 8\n",
  ]) {
    assert.deepEqual(await settingsOf(needed + spelt), expected, spelt)
  }
  for (const twice of ["batch-size: 8\nbatch_size: 4\n", "tiny: { hidden: 8 }\ntiny-hidden: 16\n"]) {
    await assert.rejects(settingsOf(needed + twice), { _tag: "InvalidConfig", message: /are one setting/ })
  }
  await assert.rejects(settingsOf(`${needed}tiny: { hiden: 8 }\n`), {
    field: "tiny.hiden",
    hint: "did you mean hidden?",
  })
})

test("a run's config.json repeats it in another folder, loss by loss", async () => {
  const first = join(folder.path, "first")
  const args = [...smallRun(folder.path, first), "--negatives", "none", "--epochs", "2", "--lr", "1e-2", "--seed", "5"]
  assert.equal((await tandem([...args, "--no-index"])).code, 0)
  const again = ["dpr", "train", "--config", join(first, "config.json")]
  const second = join(folder.path, "second")
  const repeated = await tandem([...again, "--out", second, "--quiet"])
  assert.equal(repeated.code, 0, repeated.stderr)
  assert.equal(losses(first).length, 4)
  assert.deepEqual(losses(second), losses(first))

  const { data } = JSON.parse(readFileSync(join(first, "config.json"), "utf8"))
  const [file = "", hash = ""] = Object.entries<string>(data)[0] ?? []
  writeFileSync(file, readFileSync(file, "utf8").replace("Arden?", "Arden now?"))
  const changed = await tandem([...again, "--out", join(folder.path, "third"), "--max-steps", "1", "--json"])
  const told = `${file} has changed since the run of ${join(first, "config.json")}: expected SHA-256 ${hash.slice(0, 12)}…, found `
  const warnings = changed.stdout
    .split("\n")
    .filter((line) => line.includes('"warning"') && line.includes("has changed"))
  assert.equal(warnings.length, 1, changed.stdout)
  assert.ok(JSON.parse(warnings[0] ?? "").message.startsWith(told), warnings[0])
  assert.ok(changed.stderr.includes(`warning: ${told}`), changed.stderr)

  const without = await tandem(again)
  assert.deepEqual([without.code, /error\[MissingFlag\] --out is needed/.test(without.stderr)], [2, true])
  const idle = await tandem([...again, "--out", "x", "--hard-negatives", "2"])
  assert.match(idle.stderr, /FlagWithoutEffect\] --hard-negatives/)
  const other = join(folder.path, "other.json")
  writeFileSync(other, JSON.stringify({ format: 1, command: "other train", settings: {} }))
  assert.match((await tandem(["dpr", "train", "--config", other])).stderr, /error\[InvalidConfig\][\s\S]*dpr train/)
})

test("rounds of dual training take a file of settings as well", async () => {
  const cwd = join(folder.path, "dual")
  mkdirSync(cwd, { recursive: true })
  const asked = (content: string) => {
    writeFileSync(join(cwd, "dual.yaml"), content)
    return tandem(["dual", "train", "--config", "dual.yaml", "--out", "dual", "--k", "3"], undefined, { cwd })
  }
  const strange = await asked("data: d.jsonl\nralt: { speed: 2 }\n")
  assert.equal(strange.code, 2)
  assert.match(strange.stderr, /ralt\.speed is not a setting of dual train.*dual\.yaml/s)
  const missing = await asked("data: no.jsonl\ndev: no.jsonl\nretriever: none\ngenerator: none\nralt-lora: '4:8'\n")
  assert.equal(missing.code, 3)
  assert.match(missing.stderr, /no\.jsonl/)
})
