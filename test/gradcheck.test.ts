// The command itself, in a process whose table of rules is right or has one wrong entry.
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { test } from "node:test"
import { fileURLToPath, pathToFileURL } from "node:url"

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
const main = pathOf("../apps/cli/src/main.ts")
const plant = pathToFileURL(pathOf("./support/wrongRule.ts")).href

const gradcheck = (args: readonly string[], wrongRule?: string) => {
  const planted = wrongRule === undefined ? [] : ["--import", plant]
  const { status, stdout, stderr } = spawnSync(process.execPath, [...planted, main, "gradcheck", ...args, "--json"], {
    encoding: "utf8",
    env: { ...process.env, ...(wrongRule === undefined ? {} : { WRONG_RULE: wrongRule }) },
  })
  assert.ok(stdout !== "", stderr)
  const report: { readonly ok: boolean; readonly parameters: readonly { readonly relativeError: number }[] } =
    JSON.parse(stdout)
  return { status, ok: report.ok, worst: Math.max(...report.parameters.map(({ relativeError }) => relativeError)) }
}

const rules = [
  ["bert/script", "MatMul"],
  ["bert/dynamo", "LayerNormalization"],
  ["llama/script", "com.microsoft.QuickGelu"],
  ["qwen3/dynamo", "Softmax"],
  ["t5/script", "Transpose"],
] as const

for (const [path, op] of rules) {
  test(`gradcheck of ${path} ends with 0, and with 1 where the rule of ${op} is wrong by a hundredth`, () => {
    const model = pathOf(`golden/exports/${path}.onnx`)
    const reference = pathOf(`golden/exports/${path.split("/")[0]}/reference.safetensors`)
    const right = gradcheck([model, "--against", reference])
    assert.deepEqual([right.status, right.ok], [0, true])
    const wrong = gradcheck([model, "--against", reference], op)
    assert.deepEqual([wrong.status, wrong.ok], [1, false])
    assert.ok(wrong.worst > 1e-4 && Number.isFinite(wrong.worst), String(wrong.worst))
  })
}
