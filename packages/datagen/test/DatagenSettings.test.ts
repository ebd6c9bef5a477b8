import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Effect } from "effect"
import { readDatagenSettings } from "../src/index.ts"

const least = { path: { input_dir: "in", output_dir: "out" }, api: { small_model: "s", large_model: "l" } }

describe("readDatagenSettings", () => {
  it("fills in the reference's defaults", async () => {
    const { system, skip } = await Effect.runPromise(readDatagenSettings(least))
    assert.equal(system.rag_failure_percentage, 0.4)
    assert.equal(system.rag_max_chunks, 3)
    assert.equal(system.num_items_per_group, 3)
    assert.equal(system.concurrency_limit, 50)
    assert.equal(system.use_subset, true)
    assert.equal(system.subset_size, 30)
    assert.equal(system.failure_behavior, "from_memory")
    assert.equal(system.multi_chunk_share, 0)
    assert.equal(skip.skip_filter_chunks, false)
  })

  it("names a key that no setting has", async () => {
    const error = await Effect.runPromise(
      Effect.flip(readDatagenSettings({ ...least, system: { chunk_sise: 3 } }, "config.yaml")),
    )
    assert.equal(error._tag, "InvalidDatagenSettings")
    assert.equal(error.field, "system.chunk_sise")
    assert.equal(error.file, "config.yaml")
  })

  it("names a value that is none of its setting's, but shows no key", async () => {
    const wrong = await Effect.runPromise(
      Effect.flip(readDatagenSettings({ ...least, system: { rag_failure_percentage: 40 } })),
    )
    assert.equal(wrong.field, "system.rag_failure_percentage")
    assert.equal(wrong.found, "40")
    const secret = await Effect.runPromise(
      Effect.flip(readDatagenSettings({ ...least, api: { ...least.api, small_api_key: 12345 } })),
    )
    assert.equal(secret.field, "api.small_api_key")
    assert.ok(!JSON.stringify(secret).includes("12345"))
    // As configurations of other programs have them.
    for (const more of [{ API: { KEY: "12345" } }, { api: { ...least.api, large_key: "12345" } }]) {
      const unknown = await Effect.runPromise(Effect.flip(readDatagenSettings({ ...least, ...more })))
      assert.equal(unknown.expected, "no excess property")
      assert.ok(!JSON.stringify(unknown).includes("12345"))
    }
  })
})
