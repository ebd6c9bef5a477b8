import { evaluateBm25, evaluateTowers, figures } from "@tandem/objectives"
import { progressTo, type RunOptions } from "@tandem/runs"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { readOptions } from "./DprData.ts"
import { readEvaluation } from "./EvaluationExamples.ts"
import { type EncodingSource, openEncoders } from "./OpenEncoders.ts"

/** On what `evaluateDpr` measures. */
export interface EvaluationData {
  readonly data: readonly string[]
  readonly corpus?: string
  readonly format?: string
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/** What `evaluateDpr` is told: a finished run, or models as they are. */
export type EvaluateDprSettings = EncodingSource & EvaluationData

/**
 * Measures a finished run, or a model without one, on examples: their passages, or those of `corpus`, are encoded and
 * searched exactly. Returns the METRICS of docs/formats.md and `n`.
 */
export const evaluateDpr = Effect.fn("dpr.evaluate")((settings: EvaluateDprSettings, { observe }: RunOptions) => {
  const { device, threads } = settings
  return Effect.gen(function* () {
    const data = yield* questions(settings, { observe })
    yield* observe({ event: "phase", name: "loading the model" })
    const { towers, retrieval } = yield* openEncoders(settings, () => [
      ...[...data.corpus.values()].map(({ text }) => text),
      ...data.examples.map(({ query }) => query),
    ])
    const { metrics } = yield* evaluateTowers(towers, data, retrieval, progressTo(observe))
    return figures(metrics)
  }).pipe(Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })))
})

/** Measures BM25 on examples, as {@link evaluateDpr} does a retriever. */
export const evaluateWords = Effect.fn("dpr.evaluateWords")(function* (
  settings: Omit<EvaluationData, "device" | "threads">,
  { observe }: RunOptions,
) {
  const data = yield* questions(settings, { observe })
  yield* observe({ event: "phase", name: "measuring bm25" })
  return figures(evaluateBm25(data).metrics)
})

const questions = Effect.fnUntraced(function* (
  settings: Omit<EvaluationData, "device" | "threads">,
  { observe }: RunOptions,
) {
  yield* observe({ event: "phase", name: "reading data" })
  const { read, warnings: unread } = yield* readOptions(settings)
  const { data, warnings } = yield* readEvaluation(settings.data, read)
  for (const message of [...unread, ...warnings]) yield* observe({ event: "warning", message })
  return data
})
