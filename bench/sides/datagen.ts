// A data pipeline against an endpoint: filter, conversations, checks, database and files.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { runPipeline, testSettings } from "../../packages/datagen/test/support/RunPipeline.ts"
import { answer } from "../support/Answer.ts"
import type { DatagenBenchSettings } from "../support/DatagenSettings.ts"

const { baseUrl, items, concurrency }: DatagenBenchSettings = JSON.parse(process.argv[2] ?? "{}")
/** Of each document of the pipeline's material. */
const chunks = 3

await answer(async () => {
  const folder = mkdtempSync(join(tmpdir(), "tandem-bench-datagen-"))
  try {
    const started = performance.now()
    const settings = testSettings(folder, baseUrl, { concurrency_limit: concurrency })
    const { suitable, rows } = await Effect.runPromise(runPipeline(settings, items / chunks))
    return { seconds: (performance.now() - started) / 1000, values: [suitable, rows] }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
