import assert from "node:assert/strict"
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { Effect } from "effect"
import { loadPeftAdapter } from "../../src/node/LoadPeftAdapter.ts"
import { savePeftAdapter } from "../../src/node/SavePeftAdapter.ts"
import { goldenPath } from "../support/Golden.ts"

const scratch = await mkdtemp(join(tmpdir(), "peft-"))
after(() => rm(scratch, { recursive: true, force: true }))

const load = (directory: string) => Effect.runPromise(loadPeftAdapter(directory))
const failure = (directory: string) => Effect.runPromise(Effect.flip(loadPeftAdapter(directory)))

describe("a folder of adapters", () => {
  it("is written byte for byte as PEFT's weights, and read back", async () => {
    const adapter = await load(goldenPath("lora/bert"))
    assert.equal(adapter.modules.size, 8)
    const directory = join(scratch, "again")
    await Effect.runPromise(savePeftAdapter(directory, adapter))
    assert.deepEqual(await load(directory), adapter)
    const file = "adapter_model.safetensors"
    assert.deepEqual(await readFile(join(directory, file)), await readFile(join(goldenPath("lora/bert"), file)))
  })

  it("ends in a named error where a file is missing, cut off, or not LoRA", async () => {
    assert.equal((await failure(join(scratch, "nowhere")))._tag, "InvalidEncoder")
    const directory = join(scratch, "broken")
    await cp(goldenPath("lora/bert"), directory, { recursive: true })
    const weights = await readFile(join(directory, "adapter_model.safetensors"))
    await writeFile(join(directory, "adapter_model.safetensors"), weights.subarray(0, -8))
    assert.equal((await failure(directory))._tag, "InvalidSafetensors")
    await writeFile(join(directory, "adapter_config.json"), JSON.stringify({ peft_type: "PREFIX_TUNING" }))
    const error = await failure(directory)
    assert.equal(error._tag, "InvalidAdapter")
    assert.match(String(error.message), /peft_type/)
  })
})
