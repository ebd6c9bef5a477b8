import { readExamples } from "@tandem/datasets/node/Files"
import { evaluateTowers, figures } from "@tandem/objectives"
import { openRetriever } from "@tandem/objectives/node/OpenRetriever"
import { progressTo, type RunOptions } from "@tandem/runs"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { readOptions } from "./DprData.ts"

/** What `evaluateDpr` is told. */
export interface EvaluateDprSettings {
  /** The folder of a finished run. */
  readonly run: string
  readonly data: readonly string[]
  readonly corpus?: string
  readonly format?: string
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/**
 * Measures a finished run on examples: their passages, or those of `corpus`, are encoded and searched exactly.
 * Returns the METRICS of docs/formats.md and `n`.
 */
export const evaluateDpr = Effect.fn("dpr.evaluate")((settings: EvaluateDprSettings, { observe }: RunOptions) => {
  const { device, threads } = settings
  return Effect.gen(function* () {
    yield* observe({ event: "phase", name: "reading data" })
    const data = yield* readExamples(settings.data, { ...(yield* readOptions(settings)), evaluation: true })
    for (const { message } of data.warnings) yield* observe({ event: "warning", message })
    const { towers, retrieval } = yield* openRetriever(settings.run)
    const { metrics } = yield* evaluateTowers(towers, data, retrieval, progressTo(observe))
    return figures(metrics)
  }).pipe(Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })))
})
