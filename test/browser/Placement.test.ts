// Training graphs of exports that nobody here wrote: WebGPU has every operator of theirs once they are lowered.
import assert from "node:assert/strict"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { runCommand } from "../../scripts/support/Command.ts"
import { swiftShader } from "../support/SwiftShader.ts"

const exports = ["bert", "roberta", "modernbert", "gpt2", "llama", "qwen3", "bart"].flatMap((architecture) =>
  ["dynamo", "script"].map((exporter) => `${architecture}/${exporter}.onnx`),
)

test("nothing of an export's training graph falls back from onnxruntime-node's WebGPU", async (t) => {
  const script = fileURLToPath(new URL("../support/nodePlacement.ts", import.meta.url))
  const env = { ...process.env, ...swiftShader() }
  const { status, output, stdout } = await runCommand(process.execPath, [script, ...exports], { env })
  assert.equal(status, 0, output)
  const found: Record<string, { nodes: number; fallbacks: string[] }> = JSON.parse(stdout)
  assert.deepEqual(Object.keys(found), exports)
  for (const [name, { nodes, fallbacks }] of Object.entries(found)) {
    t.diagnostic(`${name}: ${nodes} nodes, on the CPU: ${fallbacks.length === 0 ? "none" : fallbacks.join("; ")}`)
    assert.deepEqual(fallbacks, [], name)
  }
})
