// One training step of each tiny model on every provider, against onnxruntime-node's CPU: loss, gradients, updated weights.
import assert from "node:assert/strict"
import { after, before, describe, test } from "node:test"
import { Schema } from "effect"
import { runCommand } from "../../scripts/support/Command.ts"
import { openPage, type Page } from "../support/Chromium.ts"
import { type StepName, type StepResult, stepNames } from "../support/portable/Steps.ts"
import { swiftShader } from "../support/SwiftShader.ts"

const Numbers = Schema.Record(Schema.String, Schema.Array(Schema.Number))
const Result = Schema.Struct({
  provider: Schema.String,
  loss: Schema.Number,
  gradients: Numbers,
  updated: Numbers,
  gradientNorm: Schema.Number,
  fallbacks: Schema.Array(Schema.String),
  seconds: Schema.Struct({ compile: Schema.Number, first: Schema.Number, second: Schema.Number }),
})
const decode = (value: unknown): StepResult => Schema.decodeUnknownSync(Result)(value)

const onNode = async (device: "cpu" | "webgpu", name: StepName): Promise<StepResult> => {
  const env = { ...process.env, ...(device === "cpu" ? {} : swiftShader()) }
  const script = new URL("../support/nodeStep.ts", import.meta.url).pathname
  const { status, output, stdout } = await runCommand(process.execPath, [script, device, name], { env })
  assert.equal(status, 0, output)
  return decode(JSON.parse(stdout))
}

let page: Page
before(async () => {
  page = await openPage("portable/page.ts")
})
after(() => page?.close())

const providers: Readonly<Record<string, (name: StepName) => Promise<StepResult>>> = {
  "onnxruntime-node's WebGPU": (name) => onNode("webgpu", name),
  "onnxruntime-web's WebAssembly in Chromium": async (name) => decode(await page.call("step", "wasm", name)),
  "onnxruntime-web's WebGPU in Chromium": async (name) => decode(await page.call("step", "webgpu", name)),
}

/** Largest ‖Δ‖ / max(‖expected‖, .1 % of the largest): gradients that are zero by symmetry are rounding alone. */
const worst = (expected: StepResult["gradients"], found: StepResult["gradients"]) => {
  const largest = Math.max(...Object.values(expected).map((values) => Math.hypot(...values)))
  const errors = Object.entries(expected).map(([name, values]) => {
    assert.equal(found[name]?.length, values.length, name)
    const error = Math.hypot(...values.map((value, index) => value - found[name]![index]!))
    return { name, error: error / Math.max(Math.hypot(...values), 1e-3 * largest) }
  })
  return errors.reduce((a, b) => (b.error <= a.error ? a : b))
}

for (const name of stepNames) {
  describe(name, () => {
    let expected: StepResult
    before(async () => {
      expected = await onNode("cpu", name)
    })
    for (const [provider, run] of Object.entries(providers)) {
      test(`${provider}: loss and gradients are the CPU's, and nothing falls back`, async (t) => {
        const found = await run(name)
        const loss = Math.abs(found.loss / expected.loss - 1)
        const gradients = worst(expected.gradients, found.gradients)
        const norm = Math.abs(found.gradientNorm / expected.gradientNorm - 1)
        t.diagnostic(`fell back to the CPU: ${found.fallbacks.length === 0 ? "nothing" : found.fallbacks.join("; ")}`)
        t.diagnostic(`loss ${loss.toExponential(1)}, gradients ${gradients.error.toExponential(1)} (${gradients.name})`)
        t.diagnostic(`seconds: ${JSON.stringify(found.seconds)}`)
        assert.deepEqual(found.fallbacks, [])
        assert.ok(Number.isFinite(expected.loss) && expected.gradientNorm > 0.01)
        assert.ok(loss <= 1e-3, `the loss strays by ${loss}`)
        assert.ok(gradients.error <= 1e-3, `${gradients.name} strays by ${gradients.error}`)
        assert.ok(norm <= 1e-3, `the gradients' norm strays by ${norm}`)
      })
    }
  })
}
