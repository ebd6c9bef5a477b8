// Every promise of the runtime, in a page under WebAssembly and WebGPU, and on Node under WebGPU.
import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { runtimePromises } from "@tandem/runtime/testing"
import { openPage, type Page } from "../support/Chromium.ts"

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
