// Runs the pipeline on chunks of its own against an endpoint, to be killed. Arguments: folder, address, documents, more settings.
import { openAiGenerator } from "@tandem/generator"
import { Effect } from "effect"
import { type DatagenSettings, readDatagenSettings } from "../../src/index.ts"
import { estimateCost } from "../../src/node/EstimateCost.ts"
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

/** The endpoint's two models. */
const modelsOf = Effect.fnUntraced(function* ({ api, system }: DatagenSettings) {
  const generator = (role: "small" | "large") =>
    openAiGenerator({
      baseUrl: api[`${role}_base_url`] ?? "",
      model: api[`${role}_model`],
      logprobs: false,
      concurrency: system.concurrency_limit,
      retries: api.retries,
      retryDelay: api.retry_delay * 1000,
    })
  return { small: yield* generator("small"), large: yield* generator("large") }
})

/** The whole pipeline over documents of three chunks each. */
export const runPipeline = Effect.fnUntraced(function* (given: object, documents: number, compat = false) {
  const settings = yield* readDatagenSettings(given)
  const models = yield* modelsOf(settings)
  return yield* generateData({ settings, chunks: manyChunks(documents), models, compat })
})

/** What the pipeline would yet ask and cost. */
export const estimatePipeline = Effect.fnUntraced(function* (given: object, documents: number) {
  const settings = yield* readDatagenSettings(given)
  const models = yield* modelsOf(settings)
  return yield* estimateCost({ settings, chunks: manyChunks(documents), models })
})

if (import.meta.main) {
  const [folder = "", baseUrl = "", documents = ""] = process.argv.slice(2)
  await Effect.runPromise(runPipeline(testSettings(folder, baseUrl), Number(documents)))
}
