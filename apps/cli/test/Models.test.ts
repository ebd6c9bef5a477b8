import assert from "node:assert/strict"
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import { elementCount, int64, readModel, type Tensor, writeModel } from "@tandem/onnx"
import { readSafetensors, writeSafetensors } from "@tandem/safetensors"
import { runCommandLine } from "../src/CommandLine.ts"
import { makeFolder, tandem } from "./support/Tandem.ts"

const folder = makeFolder()
after(folder.remove)

const golden = (path: string): string => fileURLToPath(new URL(`../../../test/golden/${path}`, import.meta.url))
const model = golden("bert-tiny/script.onnx")
const reference = golden("bert-tiny/reference.safetensors")
const names = [...readSafetensors(new Uint8Array(readFileSync(reference))).tensors.keys()]
const parameters = names.flatMap((name) => (name.startsWith("w.") ? [name.slice(2)] : [])).sort()

/** A copy of the reference with some tensors changed or left out. */
const changed = (file: string, change: (tensors: Map<string, Tensor>) => void): string => {
  const tensors = new Map(readSafetensors(new Uint8Array(readFileSync(reference))).tensors)
  change(tensors)
  const path = join(folder.path, file)
  writeFileSync(path, writeSafetensors(tensors))
  return path
}

const negated = (value: Tensor): Tensor => ({ ...value, data: Float32Array.from(value.data, Number).map((x) => -x) })

test("gradcheck against PyTorch's gradients", async () => {
  const { code, stdout, stderr } = await tandem(["gradcheck", model, "--against", reference, "--json"])
  assert.equal(code, 0, stderr)
  assert.equal(stdout.trim().split("\n").length, 1)
  const report = JSON.parse(stdout)
  assert.equal(report.ok, true)
  assert.ok(Math.abs(report.loss - report.lossReference) <= 1e-5)
  assert.deepEqual(report.parameters.map(({ name }: { name: string }) => name).sort(), parameters)
  for (const { partner, transposed, relativeError } of report.parameters) {
    assert.equal(typeof partner, "string")
    assert.equal(transposed, partner.startsWith("onnx::MatMul"))
    assert.ok(relativeError >= 0 && relativeError <= 1e-4)
  }
  assert.deepEqual([report.unmatched, report.ambiguous], [[], []])

  const human = await tandem(["gradcheck", model, "--against", reference])
  assert.equal(human.code, 0)
  assert.match(human.stdout, /^parameter +error +in the model\n/)
  assert.match(human.stdout, /query\.weight +\S+e-\d +onnx::MatMul_\d+ᵀ\n/)
  assert.match(human.stdout, /37 parameters to 0\.0001: all agree\n$/)
})

test("gradcheck ends with 1 for a wrong gradient, a missing partner and equal values, and names them", async () => {
  const key = "encoder.layer.1.output.dense.weight"
  const wrong = changed("wrong.safetensors", (tensors) => tensors.set(`g.${key}`, negated(tensors.get(`g.${key}`)!)))
  const first = await tandem(["gradcheck", model, "--against", wrong, "--json"])
  assert.equal(first.code, 1)
  const report = JSON.parse(first.stdout)
  assert.equal(report.ok, false)
  const errors: readonly { readonly name: string; readonly relativeError: number }[] = report.parameters
  assert.deepEqual(
    errors.filter(({ relativeError }) => relativeError > 1e-4).map(({ name }) => name),
    [key],
  )
  const human = await tandem(["gradcheck", model, "--against", wrong])
  assert.equal(human.code, 1)
  assert.match(human.stdout, new RegExp(`^parameter.*\\n${key.replaceAll(".", "\\.")} +2\\.0e\\+0 +WRONG`))
  assert.match(human.stderr, /error\[CheckFailed\] the check failed: 1 gradients? (is|are) wrong/)

  const lonely = changed("lonely.safetensors", (tensors) => {
    const weight = tensors.get(`w.${key}`)!
    tensors.set(`w.${key}`, { ...weight, data: Float32Array.from(weight.data, Number).map((x, i) => x + Math.sin(i)) })
  })
  const second = await tandem(["gradcheck", model, "--against", lonely, "--json"])
  assert.equal(second.code, 1)
  assert.deepEqual(JSON.parse(second.stdout).unmatched, [key])

  const [one, two] = ["encoder.layer.0.output.LayerNorm.bias", "encoder.layer.1.output.LayerNorm.bias"]
  const equal = changed("equal.safetensors", (tensors) => tensors.set(`w.${one}`, tensors.get(`w.${two}`)!))
  const third = await tandem(["gradcheck", model, "--against", equal, "--json"])
  assert.equal(third.code, 1)
  assert.deepEqual(JSON.parse(third.stdout).ambiguous.sort(), [one, two])
})

test("gradcheck's tolerance is --rtol", async () => {
  const { code, stdout } = await tandem(["gradcheck", model, "--against", reference, "--rtol", "1e-9", "--json"])
  assert.equal(code, 1)
  assert.equal(JSON.parse(stdout).ok, false)
})

test("gradcheck without a reference takes differences, of inputs that are given or made up", async () => {
  const made = await tandem(["gradcheck", golden("distilbert-tiny/dynamo.onnx"), "--json"])
  assert.equal(made.code, 0, made.stdout)
  const report = JSON.parse(made.stdout)
  assert.deepEqual([report.ok, report.lossReference, report.parameters.length], [true, null, 36])
  const given = await tandem(["gradcheck", model, "--inputs", reference])
  assert.equal(given.code, 0)
  assert.match(given.stdout, /37 parameters against finite differences to 0\.01: all agree\n$/)
})

test("what cannot be checked says so: 3 for files, 2 for usage", async (t) => {
  const lacking = changed("lacking.safetensors", (tensors) => tensors.delete("R"))
  const strange = changed("strange.safetensors", (tensors) => tensors.set("in.pixels", tensors.get("R")!))
  const key = "g.encoder.layer.1.output.dense.weight"
  const diverged = changed("diverged.safetensors", (tensors) => {
    const gradient = tensors.get(key)!
    tensors.set(key, {
      ...gradient,
      data: Float32Array.from(gradient.data, Number).fill(NaN, 3, 4),
    })
  })
  const beyond = changed("beyond.safetensors", (tensors) => {
    const { dims } = tensors.get("in.input_ids")!
    tensors.set("in.input_ids", int64(dims, Array<number>(elementCount(dims)).fill(9999)))
  })
  const at = (file: string): string => join(folder.path, file)
  const [nan, pointer, bent] = [at("nan.onnx"), at("pointer.onnx"), at("bent.onnx")]
  const graph = readModel(new Uint8Array(readFileSync(model)))
  const [name, weight] = [...graph.initializers].find(([, { type, dims }]) => type === "float32" && dims.length === 2)!
  const spoiled = { ...weight, data: Float32Array.from(weight.data, Number).fill(NaN, 0, 1) }
  writeFileSync(nan, writeModel({ ...graph, initializers: new Map(graph.initializers).set(name, spoiled) }))
  writeFileSync(pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 90000000\n")
  const nodes = graph.nodes.map((node) => (node.op === "Erf" ? { ...node, op: "Bend" } : node))
  writeFileSync(bent, writeModel({ ...graph, nodes }))
  const empty = join(folder.path, "empty")
  mkdirSync(empty)
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["gradcheck", "no-such.onnx"], 3, /error\[InvalidModel\].*no-such\.onnx/],
    [["gradcheck", golden("bert-tiny/config.json")], 3, /error\[InvalidModel\].*config\.json/],
    [["gradcheck", model, "--against", "no-such"], 3, /error\[InvalidSafetensors\].*no-such/],
    [["gradcheck", model, "--against", model], 3, /error\[InvalidSafetensors\]/],
    [["gradcheck", model, "--against", lacking], 3, /error\[InvalidReference\] the reference lacks R/],
    [["gradcheck", model, "--against", diverged], 3, /error\[InvalidReference\] g\.\S+ of the reference .*no finite/],
    [["gradcheck", model, "--against", beyond], 3, /error\[InvalidReference\] the model does not run on these inputs/],
    [["gradcheck", nan, "--against", reference], 3, /error\[InvalidModel\] the weight \S+ holds NaN/],
    [["gradcheck", nan], 3, /error\[InvalidModel\] the weight \S+ holds NaN/],
    [["gradcheck", pointer], 3, /error\[InvalidModel\].*git lfs pull/s],
    [["gradcheck", bent, "--against", reference], 3, /error\[MissingGradient\] Bend .*\(opset 17\).*Erf/],
    [["gradcheck", model, "--inputs", strange], 2, /error\[InvalidFlag\] the model has no input pixels/],
    [["gradcheck", model, "--rtol", "0"], 2, /error\[InvalidFlag\] --rtol/],
    [["gradcheck"], 2, /error\[MissingFlag\]/],
    [["inspect", "no-such/folder/x"], 3, /error\[InvalidModel\]/],
    [["inspect", empty], 3, /error\[InvalidModel\].*holds no model/],
    [["inspect", model, "--batch-size", "0"], 2, /error\[InvalidFlag\] --batch-size/],
  ]
  for (const [args, expected, message] of cases) {
    // In this process: another one takes its time to start.
    let stderr = ""
    const write = t.mock.method(process.stderr, "write", (text: string) => {
      stderr += text
      return true
    })
    const code = await runCommandLine(args, "0.0.0")
    write.mock.restore()
    assert.equal(code, expected, `${args.join(" ")}\n${stderr}`)
    assert.match(stderr, message)
  }
  const machine = await tandem(["gradcheck", model, "--against", lacking, "--json"])
  assert.equal(JSON.parse(machine.stdout).error.tag, "InvalidReference")
})

test("inspect: a file, and a folder as transformers.js lays it out", async () => {
  const { code, stdout, stderr } = await tandem(["inspect", model, "--json"])
  assert.equal(code, 0, stderr)
  const report = JSON.parse(stdout)
  assert.deepEqual(
    [report.architecture, report.opset, report.parameters, report.trainable, report.gaps],
    ["bert", 17, 23_104, 23_104, []],
  )
  assert.equal(report.operators.MatMul, 16)
  assert.ok(report.step.memory.total > 0 && report.step.flops.step > report.step.flops.forward)

  const plain = join(folder.path, "plain")
  mkdirSync(join(plain, "onnx"), { recursive: true })
  copyFileSync(model, join(plain, "onnx", "model.onnx"))
  const human = await tandem(["inspect", plain, "--batch-size", "2", "--max-length", "8"])
  assert.equal(human.code, 0, human.stderr)
  assert.match(human.stdout, /^file +.*plain\/onnx\/model\.onnx\narchitecture +encoder\noperator sets +ai\.onnx 17\n/)
  assert.match(human.stdout, /weights +23,104\nthat can train +23,104\n/)
  assert.match(human.stdout, /a training step of 2 rows of 8 tokens\n +memory +[\d.]+ MiB\n/)
  assert.match(human.stdout, /gaps: none\n+All of this model can be trained\.\n$/)

  const weights = join(folder.path, "weights")
  mkdirSync(weights)
  for (const file of ["config.json", "model.safetensors"])
    copyFileSync(golden(`bert-tiny/${file}`), join(weights, file))
  const built = JSON.parse((await tandem(["inspect", weights, "--json"])).stdout)
  assert.deepEqual([built.architecture, built.trainable, built.gaps], ["bert", 23_104, []])
})
