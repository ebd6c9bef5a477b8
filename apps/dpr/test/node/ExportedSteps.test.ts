// Training from exports is PyTorch's from the first step on: loss, gradient norm, and which of a file's tensors are trained
// (test/golden/dpr_exports.py).
import assert from "node:assert/strict"
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { storedTensors } from "@tandem/models/exported/TrainableParameters"
import { readModel } from "@tandem/onnx"
import { search, train } from "../../src/Promises.ts"
import { golden, scratchFolder } from "../support/Tandem.ts"

interface Reference {
  readonly pooling: "cls" | "last" | "mean"
  readonly similarity: "cosine" | "dot"
  readonly temperature: number
  readonly loss: number
  readonly gradNorm: number
  /** The tensors of several elements that are no parameters, by exporter. */
  readonly buffers: Readonly<Record<string, readonly string[]>>
}

const root = golden("dpr-exports")
const references: Readonly<Record<string, Reference>> = JSON.parse(readFileSync(join(root, "reference.json"), "utf8"))
const scratch = scratchFolder()

/** The export in a folder as sentence-transformers writes them. */
const modelFolder = (name: string, exporter: string, { pooling }: Reference): string => {
  const folder = join(scratch, name, exporter)
  for (const part of ["onnx", "1_Pooling"]) mkdirSync(join(folder, part), { recursive: true })
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    cpSync(golden(`sentence-transformers-tiny/${file}`), join(folder, file))
  }
  cpSync(join(root, name, "config.json"), join(folder, "config.json"))
  cpSync(join(root, name, `${exporter}.onnx`), join(folder, "onnx/model.onnx"))
  const modules = ["Transformer", "Pooling"].map((type, idx) => ({
    ...{ idx, name: `${idx}`, type: `sentence_transformers.models.${type}` },
    path: idx === 0 ? "" : "1_Pooling",
  }))
  writeFileSync(join(folder, "modules.json"), JSON.stringify(modules))
  writeFileSync(
    join(folder, "1_Pooling/config.json"),
    JSON.stringify({ pooling_mode: pooling === "last" ? "lasttoken" : pooling }),
  )
  return folder
}

/** The float tensors of the model in a folder by name. */
const floatsOf = (folder: string): ReadonlyMap<string, Float32Array> => {
  const stored = storedTensors(readModel(readFileSync(join(folder, "onnx/model.onnx"))))
  return new Map([...stored].flatMap(([name, { data }]) => (data instanceof Float32Array ? [[name, data]] : [])))
}

const sameBits = (a: Float32Array, b: Float32Array | undefined): boolean =>
  b !== undefined &&
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(new Uint8Array(b.buffer, b.byteOffset, b.byteLength))

/** Ten steps, each of the same batch, because its four questions are all that there are; what the run's metrics say. */
const tenSteps = async (model: string, out: string, { similarity, temperature }: Reference, noIndex = true) => {
  const files = { data: join(root, "train.jsonl"), corpus: join(root, "corpus.jsonl") }
  const rate = { lr: 1e-2, warmup: 0, schedule: "constant", weightDecay: 0 } as const
  const steps = { batchSize: 4, epochs: 10, noIndex, threads: 1 }
  await train({ ...files, ...rate, ...steps, model, out, similarity, temperature })
  const lines = readFileSync(join(out, "metrics.jsonl"), "utf8").trimEnd().split("\n")
  return lines.map((line) => JSON.parse(line)).filter(({ loss }) => loss !== undefined)
}

for (const [name, reference] of Object.entries(references)) {
  for (const [exporter, buffers] of Object.entries(reference.buffers)) {
    test(`${name}, ${exporter}: loss and gradient norm of step 1 are PyTorch's, and ten steps leave buffers alone`, async (t) => {
      const model = modelFolder(name, exporter, reference)
      const run = join(scratch, `${name}-${exporter}-run`)
      const steps = await tenSteps(model, run, reference)
      assert.equal(steps.length, 10)
      for (const field of ["loss", "gradNorm"] as const) {
        const away = Math.abs(steps[0][field] / reference[field] - 1)
        t.diagnostic(`${field} ${away.toExponential(1)}`)
        assert.ok(away < 1e-4, `${field} ${steps[0][field]}, not ${reference[field]}`)
      }
      assert.ok(steps[9].loss < steps[0].loss, "nothing was learnt")

      const [before, after] = [floatsOf(model), floatsOf(join(run, "retriever"))]
      assert.deepEqual([...after.keys()], [...before.keys()])
      const moved = [...before].filter(([tensor, value]) => !sameBits(value, after.get(tensor)))
      const parameters = [...before].filter(([tensor, value]) => value.length > 1 && !buffers.includes(tensor))
      assert.deepEqual(
        moved.map(([tensor]) => tensor),
        parameters.map(([tensor]) => tensor),
      )
    })
  }
}

test("the trained model is the one that its index was made with, where tables of positions are a part of it", async () => {
  const reference = references["other-tables"]!
  const run = join(scratch, "indexed")
  await tenSteps(modelFolder("other-tables", "script", reference), run, reference, false)
  const [found] = await search({ run, questions: "Where was the long river?", k: 8 })
  assert.equal(found?.length, 8)
  assert.equal(found[0]?.id, "river")
})
