import type { AnswerMetrics, Interval } from "@tandem/evals"
import { makeLocalGenerator } from "@tandem/generator"
import { evaluateTexts, labelledTexts, type TextGroup, textReports } from "@tandem/objectives"
import { readEvaluationTexts } from "@tandem/objectives/node/EvaluationData"
import { openGenerator } from "@tandem/objectives/node/OpenGenerator"
import { progressTo, type RunOptions, SettingsError } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { refuseTexts, wordsOf } from "./AloneTexts.ts"
import { checkSource } from "./CheckSource.ts"
import type { EvaluateRaltSettings } from "./EvaluateRalt.ts"

/** Figures of all texts and of each group that some belong to, `n` and `nll`, with 95 % intervals by the figures' names. */
export type RaltTextFigures = AnswerMetrics & { readonly [name in TextGroup]?: AnswerMetrics } & {
  readonly intervals: Readonly<Record<string, Interval>>
}

/** Measures how likely a generator finds what is trained of conversations and texts in segments. */
export const evaluateRaltTexts = Effect.fn("ralt.evaluateTexts")(
  (settings: Omit<EvaluateRaltSettings, "kEval" | "answers">, { observe }: RunOptions) => {
    const { data, format, seed, device, threads } = settings
    return Effect.gen(function* () {
      yield* checkSource(settings, [])
      if (settings.without !== undefined) {
        return yield* new SettingsError({
          message: "`without` has no effect on texts that stand alone, which are shown no passages",
          field: "without",
          hint: "leave it out, or measure on questions",
        })
      }
      yield* observe({ event: "phase", name: "reading data" })
      const { texts: rows, warnings } = yield* readEvaluationTexts(data, format)
      yield* observe({ event: "phase", name: "loading the model" })
      const { model, prompts } = yield* openGenerator(settings, { seed, texts: () => wordsOf(rows) })
      yield* refuseTexts(model, "data", data)
      const labelled = yield* labelledTexts(model, prompts, rows)
      for (const message of [...warnings, ...labelled.warnings]) yield* observe({ event: "warning", message })
      const generator = yield* makeLocalGenerator({ model })
      const results = yield* evaluateTexts(generator, labelled.texts, progressTo(observe))
      const figures: RaltTextFigures = {
        ...results.all.metrics,
        ...Object.fromEntries(Object.entries(results.groups).map(([name, { metrics }]) => [name, metrics] as const)),
        intervals: Object.fromEntries(
          Object.entries(textReports(results)).flatMap(
            ([
              name,
              {
                intervals: { nll },
              },
            ]) => (nll === undefined ? [] : [[name, nll] as const]),
          ),
        ),
      }
      return figures
    }).pipe(Effect.scoped, Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })))
  },
)
