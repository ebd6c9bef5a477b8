// Every promise of the runtime, in a page under WebAssembly and WebGPU, and on Node under WebGPU.
import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { runtimePromises } from "@tandem/runtime/testing"
import { runCommand } from "../../scripts/support/Command.ts"
import { openPage, type Page } from "../support/Chromium.ts"
import { swiftShader } from "../support/SwiftShader.ts"

let page: Page
before(async () => {
  page = await openPage("portable/page.ts")
})
after(() => page?.close())

for (const device of ["wasm", "webgpu"]) {
  describe(`onnxruntime-web's ${device} in Chromium`, () => {
    for (const { name } of runtimePromises)
      it(name, async () => {
        const problem = await page.call("keeps", device, name)
        assert.equal(problem, undefined, `${problem}\n${page.printed.join("\n")}`)
      })
  })
}

/** The operator that WebGPU lacks is named, with what its 64-bit integers need, and the numbers are right all the same. */
const told = {
  fallbacks: ["NonZero runs on the CPU: where it is", "Cast runs on the CPU: where it is/Cast_2"],
  sum: [1, 1, 2, 2, 1, 2, 1, 2],
  type: "int64",
}

it("what falls back to the CPU is named by onnxruntime-web's WebGPU in Chromium", async () => {
  assert.deepEqual(await page.call("fallback", "webgpu"), told)
})

it("onnxruntime-node's WebGPU keeps every promise and names what falls back", async () => {
  const script = new URL("../support/nodeWebGpu.ts", import.meta.url).pathname
  const env = { ...process.env, ...swiftShader() }
  const { status, output, stdout } = await runCommand(process.execPath, [script], { env })
  assert.equal(status, 0, output)
  assert.deepEqual(JSON.parse(stdout), { broken: {}, told })
})
