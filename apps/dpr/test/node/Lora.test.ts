// Adapters in place of weights: what trains, what is saved, and a run that goes on.
import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { train } from "@tandem/dpr/Promises"
import { loadPeftAdapter } from "@tandem/models/node/LoadPeftAdapter"
import type { Tensor } from "@tandem/onnx"
import { readSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import { writeOwn } from "../support/FewExamples.ts"
import { golden, jsonLines, losses, scratchFolder, succeed, tandem, trained } from "../support/Tandem.ts"

const scratch = scratchFolder()
const { data, corpus } = writeOwn(scratch)
const model = golden("sentence-transformers-tiny")
const basics = ["--data", data, "--corpus", corpus, "--dev", data, "--batch-size", "3"]

const weightsIn = (folder: string): ReadonlyMap<string, Tensor> =>
  readSafetensors(new Uint8Array(readFileSync(join(folder, "model.safetensors")))).tensors

/** Weights that differ between two folders. */
const changed = (a: string, b: string): readonly string[] => {
  const right = weightsIn(b)
  return [...weightsIn(a)].flatMap(([name, { data: values }]) =>
    values.join() === right.get(name)?.data.join() ? [] : [name],
  )
}

const settingsOf = (run: string) => JSON.parse(readFileSync(join(run, "config.json"), "utf8")).settings

test("adapters train alone, at a rate of their own, and what is saved has them in its weights", async () => {
  const run = join(scratch, "all")
  const events = await trained(
    ...basics,
    ...["--model", model, "--lora", "4:8", "--save-adapters", "--epochs", "8", "--out", run],
  )
  const found = losses(events)
  assert.ok(found.at(-1)! < found[0]!, `losses ${found}`)
  assert.equal(settingsOf(run).lr, 2e-4)
  const linear = changed(join(run, "retriever"), model)
  assert.ok(linear.length > 0)
  for (const name of linear) assert.match(name, /(query|key|value|dense)\.weight$/)
  const [metrics] = await succeed("dpr", "eval", "--run", run, "--data", data, "--corpus", corpus, "--threads", "1")
  assert.deepEqual(metrics, JSON.parse(readFileSync(join(run, "report.json"), "utf8")).after)
  const { config, modules } = await Effect.runPromise(loadPeftAdapter(join(run, "adapters/query")))
  assert.deepEqual([config.rank, config.alpha], [4, 8])
  assert.deepEqual([...modules.keys()].map((name) => `${name}.weight`).sort(), [...linear].sort())
  for (const { b } of modules.values()) assert.ok(b.data.some((value) => value !== 0))
})

test("one part with adapters beside one with all its weights, modules by pattern, layers without", async () => {
  const run = join(scratch, "mixed")
  const flags = ["--untied", "--lora", "query=2:4:query|value", "--freeze", "*layer.0.*"]
  await trained(...basics, "--model", model, ...flags, "--max-steps", "4", "--out", run)
  assert.deepEqual(settingsOf(run).lr, { all: 2e-5, query: 2e-4 })
  for (const name of changed(join(run, "retriever"), model)) assert.match(name, /layer\.1\..*(query|value)\.weight$/)
  const passage = changed(join(run, "passage-retriever"), model)
  assert.ok(passage.includes("embeddings.word_embeddings.weight") && !passage.some((name) => name.includes("layer.0.")))
})

test("a run with adapters that is stopped and goes on has the same losses", async () => {
  const settings = { data, corpus, dev: data, model, batchSize: 3, lora: 4, untied: true, epochs: 6, threads: 1 }
  const of = async (out: string, stopAt?: number): Promise<readonly number[]> => {
    const values: number[] = []
    const controller = new AbortController()
    const once = (resume: boolean) =>
      train(
        { ...settings, out, resume },
        {
          signal: controller.signal,
          onEvent: (event) => {
            if (event.event !== "step") return
            values.push(event.loss)
            if (!resume && event.step === stopAt) controller.abort()
          },
        },
      )
    if (stopAt === undefined) await once(false)
    else {
      await assert.rejects(once(false), { _tag: "TrainingInterrupted" })
      await train(
        { ...settings, out, resume: true },
        { onEvent: (event) => event.event === "step" && values.push(event.loss) },
      )
    }
    return values
  }
  const whole = await of(join(scratch, "whole"))
  assert.equal(whole.length, 12)
  assert.deepEqual(await of(join(scratch, "stopped"), 5), whole)
  assert.deepEqual(changed(join(scratch, "whole/retriever"), join(scratch, "stopped/retriever")), [])
})

test("adapters that nobody gets, and patterns that name nothing, are refused", async () => {
  const refused = async (...flags: readonly string[]) => {
    const out = join(scratch, "refused")
    const ended = await tandem(["dpr", "train", ...basics, "--model", model, "--out", out, "--json", ...flags])
    assert.equal(ended.code, 2, ended.stderr)
    assert.ok(!existsSync(join(out, "config.json")))
    return jsonLines(ended).at(-1).error
  }
  assert.equal((await refused("--lora", "generator=8")).found, "generator")
  assert.equal((await refused("--lora", "8:16:nothing_proj")).tag, "InvalidLora")
  assert.equal((await refused("--lora", "0")).field, "--lora")
  assert.equal((await refused("--save-adapters")).field, "--save-adapters")
})
