// `--device webgpu` from the command line, on the software device that comes with Chromium.
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { swiftShader } from "../../../../test/support/SwiftShader.ts"
import { writeOwn } from "../support/FewExamples.ts"
import { golden, jsonLines, scratchFolder, tandem } from "../support/Tandem.ts"

const scratch = scratchFolder()
const { data, corpus } = writeOwn(scratch)

const train = async (device: string, environment: Readonly<Record<string, string>>) => {
  const inputs = ["--data", data, "--corpus", corpus, "--model", golden("sentence-transformers-tiny")]
  const settings = ["--batch-size", "3", "--epochs", "1", "--device", device, "--out", join(scratch, device), "--json"]
  const ended = await tandem(["dpr", "train", ...inputs, ...settings], { environment })
  assert.equal(ended.code, 0, ended.stderr)
  return { events: jsonLines(ended), told: ended.stderr }
}

test("training on WebGPU loses what training on the CPU loses, and nothing falls back", async (t) => {
  const expected = await train("cpu", {})
  const found = await train("webgpu", swiftShader())
  const steps = ({ events }: typeof found) => events.filter(({ event }) => event === "step")
  // The progress names operators that fall back, as `on the CPU: …`.
  assert.doesNotMatch(found.told, /on the CPU/)
  assert.equal(steps(found).length, 2)
  for (const [index, step] of steps(found).entries()) {
    const { loss, gradNorm } = steps(expected)[index]
    t.diagnostic(`loss ${loss} and ${step.loss}, norm ${gradNorm} and ${step.gradNorm}`)
    assert.ok(Math.abs(step.loss - loss) <= 1e-3 * loss)
    assert.ok(Math.abs(step.gradNorm - gradNorm) <= 1e-3 * gradNorm)
  }
  assert.match(found.events.at(-1).report.device, /webgpu/)
})
