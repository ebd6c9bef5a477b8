// Runs the pipeline on chunks of its own against an endpoint, to be killed. Arguments: folder, address, documents, more settings.
import { openAiGenerator } from "@tandem/generator"
import { Effect } from "effect"
import { readDatagenSettings } from "../../src/index.ts"
import { generateData } from "../../src/node/GenerateData.ts"
import { manyChunks } from "./Chunks.ts"

/** The settings that tests run with. */
export const testSettings = (folder: string, baseUrl: string, system: object = {}, more: object = {}) => ({
  path: { input_dir: "unused", output_dir: folder },
  api: {
    small_model: "small",
    small_base_url: baseUrl,
    large_model: "large",
    large_base_url: baseUrl,
    retry_delay: 0.01,
    corrections: 4,
    give_up_after: 30,
  },
  system: { use_subset: false, concurrency_limit: 4, rag_max_chunks: 3, ...system },
  cost: { small_input: 1, small_output: 2, large_input: 3, large_output: 4 },
  meta_datagen: { do_meta_datagen: true },
  ...more,
})

/** The whole pipeline over documents of three chunks each. */
export const runPipeline = (given: object, documents: number, compat = false) =>
  Effect.gen(function* () {
    const settings = yield* readDatagenSettings(given)
    const generator = (role: "small" | "large") =>
      openAiGenerator({
        baseUrl: settings.api[`${role}_base_url`] ?? "",
        model: settings.api[`${role}_model`],
        logprobs: false,
        concurrency: settings.system.concurrency_limit,
        retries: settings.api.retries,
        retryDelay: settings.api.retry_delay * 1000,
      })
    const models = { small: yield* generator("small"), large: yield* generator("large") }
    return yield* generateData({ settings, chunks: manyChunks(documents), models, compat })
  })

if (import.meta.main) {
  const [folder = "", baseUrl = "", documents = ""] = process.argv.slice(2)
  await Effect.runPromise(runPipeline(testSettings(folder, baseUrl), Number(documents)))
}
