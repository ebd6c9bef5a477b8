// Small models that once trained, or were saved, as something else than they are. Needs $TANDEM_DATA/cases.
import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { readModel } from "@tandem/onnx"
import { scratchFolder, succeed } from "../support/Tandem.ts"

const scratch = scratchFolder()

const at = (path: string): string => {
  const root = process.env["TANDEM_DATA"]
  assert.ok(root, "TANDEM_DATA is not set: point it at the folder that holds cases/")
  const file = join(root, "cases", path)
  assert.ok(existsSync(file), `${file} is missing: TANDEM_DATA must point at the folder that holds cases/`)
  return file
}

const fixed = ["--warmup", "0", "--schedule", "constant", "--lr", "1e-3", "--dropout", "0", "--threads", "1"]

/** The arguments of the run that a case's README.txt states, and its folder. */
const caseRun = (name: string, ...flags: readonly string[]) => {
  const run = join(scratch, [name, ...flags].join("-").replaceAll("/", "_"))
  const files = ["--data", at(`${name}/train.jsonl`), "--corpus", at(`${name}/corpus.jsonl`)]
  const args = [
    ...["dpr", "train", "--batch-size", "5", "--epochs", "2", ...fixed, "--out", run, ...files],
    ...["--model", at(`${name}/model`), ...flags],
  ]
  return { run, args }
}

test("rope-dynamo: rotary frequencies are settings, and stay as they are", async () => {
  const { run, args } = caseRun("rope-dynamo")
  const events = await succeed(...args)
  const first = events.find(({ event }) => event === "step")
  assert.ok(Math.abs(first.gradNorm / 47.276380260418705 - 1) < 1e-4, `${first.gradNorm}`)
  const frequencies = (folder: string) => {
    const model = readModel(readFileSync(join(folder, "onnx/model.onnx")))
    return model.initializers.get("m.rotary_emb.inv_freq")?.data
  }
  assert.deepEqual(frequencies(join(run, "retriever")), frequencies(at("rope-dynamo/model")))
  const [report] = await succeed("inspect", at("rope-dynamo/model"))
  assert.deepEqual(
    report.settings.map(({ name }: { readonly name: string }) => name),
    ["m.rotary_emb.inv_freq"],
  )
})
