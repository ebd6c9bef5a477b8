// Gradients of exports that nobody here wrote against PyTorch's, parameters matched by value (test/golden/exports.py).
import assert from "node:assert/strict"
import { existsSync, readdirSync } from "node:fs"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { gradCheck } from "@tandem/inspection"
import { readModel } from "@tandem/onnx"
import { goldenBytes, goldenTensors, onCpu } from "./support/Golden.ts"

const root = fileURLToPath(new URL("./golden/exports/", import.meta.url))
const exports = readdirSync(root, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".onnx"))
  .sort()

/** An export with inputs or frozen weights of its own has a reference of its name, or of its name's beginning. */
const referenceOf = (path: string): string => {
  const stem = path.replace(".onnx", "")
  const shorter = stem.slice(0, stem.lastIndexOf("-"))
  const candidates = [stem, shorter, shorter.slice(0, shorter.lastIndexOf("-"))]
  const own = candidates.find((name) => name.includes("/") && existsSync(`${root}${name}.safetensors`))
  return `exports/${own ?? path.replace(/[^/]+$/, "reference")}.safetensors`
}

test("every architecture has its exports", () => {
  const architectures = new Set(exports.map((path) => path.split("/")[0] ?? ""))
  assert.deepEqual(
    [...architectures],
    [
      "albert bart bert bloom deberta-v2 dinov2 distilbert falcon gemma2 gemma3 gpt-neox gpt-oss gpt2 llama mistral",
      "mixtral modernbert mpnet phi3 qwen2 qwen3 roberta smollm t5 whisper xlm-roberta xlnet",
    ].flatMap((names) => names.split(" ")),
  )
  // torch 2.15 does not export T5 and XLNet with its newer exporter, Whisper not with the older one.
  const newer = ["t5", "xlnet"]
  const older = ["whisper"]
  for (const each of architectures) assert.equal(exports.includes(`${each}/dynamo.onnx`), !newer.includes(each), each)
  for (const each of architectures) assert.equal(exports.includes(`${each}/script.onnx`), !older.includes(each), each)
  for (const each of ["bert", "distilbert", "roberta", "mpnet"]) {
    for (const file of ["script-opset14", "script", "script-opset20", "dynamo-opset17", "dynamo"]) {
      assert.ok(exports.includes(`${each}/${file}.onnx`), `${each}/${file}`)
    }
  }
  const optimum = exports.filter((path) => path.includes("/optimum")).map((path) => path.split("/")[0])
  assert.deepEqual([...new Set(optimum)], ["bert", "gpt2", "llama", "roberta", "t5"])
})

for (const path of exports) {
  test(`${path}: loss and gradients are PyTorch's`, async (t) => {
    const reference = goldenTensors(referenceOf(path))
    const report = await onCpu(gradCheck(readModel(goldenBytes(`exports/${path}`)), { reference }))
    const expected = Number(reference.get("loss")?.data[0])
    assert.ok(Math.abs(report.loss - expected) <= 1e-5 * Math.abs(expected), `loss ${report.loss}, not ${expected}`)
    assert.deepEqual([report.unmatched, report.ambiguous, report.withoutGradient], [[], [], []])
    const names = [...reference.keys()].flatMap((name) => (name.startsWith("g.") ? [name.slice(2)] : []))
    assert.deepEqual(report.parameters.map(({ name }) => name).sort(), names.sort())
    const worst = report.parameters.reduce((a, b) => (b.relativeError <= a.relativeError ? a : b))
    t.diagnostic(`loss ${Math.abs(report.loss / expected - 1).toExponential(1)}`)
    t.diagnostic(`${worst.name} ${worst.relativeError.toExponential(1)}`)
    assert.ok(worst.relativeError <= 1e-4, `${worst.name}: ${worst.relativeError}`)
    assert.ok(report.ok)
  })
}
