import assert from "node:assert/strict"
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { float32, type Tensor, toNumbers } from "@tandem/onnx"
import { readSafetensors, writeSafetensors } from "@tandem/safetensors"
import { fewPassages, writeOwn } from "../support/FewExamples.ts"
import { golden, losses, scratchFolder, succeed, trained } from "../support/Tandem.ts"

const scratch = scratchFolder()
const { data, corpus } = writeOwn(scratch)
const dev = ["--dev", data]
const basics = ["--data", data, "--corpus", corpus, "--batch-size", "3", "--lr", "1e-2"]
const model = golden("sentence-transformers-tiny")

const weightsIn = (folder: string): ReadonlyMap<string, Tensor> =>
  readSafetensors(new Uint8Array(readFileSync(join(folder, "model.safetensors")))).tensors

const sameWeights = (a: string, b: string): boolean => {
  const [left, right] = [weightsIn(a), weightsIn(b)]
  assert.deepEqual([...left.keys()].sort(), [...right.keys()].sort())
  return [...left].every(([name, { data: values }]) => values.join() === right.get(name)?.data.join())
}

/** A checkpoint as DPR's are: BERT's weights below a name of their own, first token, no pooling files. */
const dprCheckpoint = (name: string, prefix: string, shift: number): string => {
  const folder = join(scratch, name)
  mkdirSync(folder)
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) cpSync(join(model, file), join(folder, file))
  const config = JSON.parse(readFileSync(golden("bert-tiny/config.json"), "utf8"))
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, model_type: "dpr", projection_dim: 0 }))
  const tensors = [...weightsIn(golden("bert-tiny"))].map(([key, value]): readonly [string, Tensor] => {
    const values = toNumbers(value).map((x) => x * (1 + shift))
    return [prefix + key, float32(value.dims, values)]
  })
  writeFileSync(join(folder, "model.safetensors"), writeSafetensors(new Map(tensors)))
  return folder
}

/** Search and evaluation of a finished run. */
const use = async (run: string): Promise<void> => {
  const [{ results }] = await succeed("dpr", "search", "--run", run, "-k", "3", "Where does the tower stand?")
  assert.equal(results.length, 3)
  for (const { id } of results) assert.ok(fewPassages.some((passage) => passage.id === id))
  const [metrics] = await succeed("dpr", "eval", "--run", run, "--data", data, "--corpus", corpus, "--threads", "1")
  assert.equal(metrics.n, 6)
  const { after } = JSON.parse(readFileSync(join(run, "report.json"), "utf8"))
  assert.deepEqual(metrics, after, "eval measures what the report of the run says")
}

test("--untied: two towers from one model part; each is saved, searched and evaluated", async () => {
  const run = join(scratch, "untied")
  losses(await trained(...basics, ...dev, "--model", model, "--untied", "--epochs", "2", "--out", run))
  assert.ok(!sameWeights(join(run, "retriever"), model))
  assert.ok(!sameWeights(join(run, "passage-retriever"), model))
  assert.ok(!sameWeights(join(run, "retriever"), join(run, "passage-retriever")))
  assert.ok(existsSync(join(run, "passage-retriever/onnx/model.onnx")))
  await use(run)
})

test("--freeze 'passage/*' leaves the passage tower as it was, bit for bit", async () => {
  const run = join(scratch, "frozen")
  const options = ["--query-encoder", model, "--passage-encoder", model, "--freeze", "passage/*"]
  losses(await trained(...basics, ...dev, ...options, "--out", run))
  assert.ok(sameWeights(join(run, "passage-retriever"), model))
  assert.ok(!sameWeights(join(run, "retriever"), model))
  await use(run)
})

test("DPR's two checkpoints are trained and keep their names", async () => {
  const query = dprCheckpoint("dpr-query", "question_encoder.bert_model.", 0)
  const passage = dprCheckpoint("dpr-passage", "ctx_encoder.bert_model.", 0.05)
  const run = join(scratch, "dpr")
  losses(await trained(...basics, ...dev, "--query-encoder", query, "--passage-encoder", passage, "--out", run))
  const { retriever } = JSON.parse(readFileSync(join(run, "config.json"), "utf8"))
  assert.deepEqual([retriever.similarity, retriever.temperature, retriever.untied], ["dot", 1, true])
  assert.ok(!sameWeights(join(run, "retriever"), query))
  assert.ok(!sameWeights(join(run, "passage-retriever"), passage))
  await use(run)
})

test("two architectures that take different inputs make one retriever", async () => {
  const distil = join(scratch, "distilbert")
  cpSync(model, distil, { recursive: true })
  for (const file of ["config.json", "model.safetensors"]) cpSync(golden(`distilbert-tiny/${file}`), join(distil, file))
  for (const [name, query, passage] of [
    ["bert-distil", model, distil],
    ["distil-bert", distil, model],
  ] as const) {
    const run = join(scratch, name)
    losses(await trained(...basics, ...dev, "--query-encoder", query, "--passage-encoder", passage, "--out", run))
    await use(run)
  }
})

test("--retriever goes on from the encoders of a run, tied or not", async () => {
  const [frozen, next] = [join(scratch, "frozen"), join(scratch, "next")]
  losses(await trained(...basics, "--retriever", frozen, "--freeze", "query/*", "--out", next))
  assert.ok(sameWeights(join(next, "retriever"), join(frozen, "retriever")))
  assert.ok(!sameWeights(join(next, "passage-retriever"), join(frozen, "passage-retriever")))
})
