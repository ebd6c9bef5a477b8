import type { InvalidEvaluation } from "@tandem/evals"
import type { GeneratorError } from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import { type Measured, type Measurement, type Observe, progressTo, type RunServices } from "@tandem/runs"
import { Effect } from "effect"
import type { AdapterShape } from "../generator/BesideAdapters.ts"
import type { LabelledText } from "../ralt/LabelledText.ts"
import {
  evaluateTexts,
  groupOf,
  type TextGroup,
  type TextResults,
  textGroups,
  textReports,
  textValues,
} from "./EvaluateTexts.ts"
import { generatorOf } from "./MeasureAnswers.ts"
import { groupTable, textCharts } from "./TextPage.ts"

/** What a run's texts are measured with. */
export interface TextMeasurement {
  readonly model: LanguageModel
  /** How its adapters are shaped, where some are over weights of few bits and stay beside them. */
  readonly adapters?: AdapterShape
  readonly texts: readonly LabelledText[]
  readonly observe: Observe
}

/** Likelihoods of the evaluation texts; the weights that find them likeliest are kept (`nll`, nats a trained token). */
export const measureTexts = ({
  model,
  adapters,
  texts,
  observe,
}: TextMeasurement): Effect.Effect<Measurement<GeneratorError | InvalidEvaluation>, never, RunServices> =>
  Effect.map(generatorOf(model, adapters), (generator) => ({
    metric: "nll",
    better: "smaller",
    measure: ({ weights }) =>
      Effect.scoped(
        Effect.flatMap(generator(weights), (reader) =>
          Effect.map(evaluateTexts(reader, texts, progressTo(observe)), measuredTexts),
        ),
      ),
    baselines: {},
    page: {
      headline: ["nll"],
      charts: textCharts,
      sections: () => groupTable(texts),
    },
  }))

/** A run's figures: `nll`, and `success.nll` and `failed.nll` where texts say which they are. */
export const measuredTexts = (results: TextResults): Measured => {
  const reports = Object.entries(textReports(results))
  return {
    metrics: {
      n: results.all.metrics.n,
      ...Object.fromEntries(
        reports.flatMap(([name, { metrics }]) => (metrics.nll === undefined ? [] : [[name, metrics.nll] as const])),
      ),
    },
    perQuestion: Object.fromEntries(reports.map(([name, report]) => [name, textValues(report)])),
    shown: null,
  }
}

/** Texts, and those of each group that there are. */
export const textCounts = (
  texts: readonly LabelledText[],
): { readonly texts: number } & { readonly [name in TextGroup]?: number } => {
  const groups = Map.groupBy(texts, groupOf)
  return {
    texts: texts.length,
    ...Object.fromEntries(
      textGroups.flatMap((name) => {
        const count = groups.get(name)?.length
        return count === undefined ? [] : [[name, count] as const]
      }),
    ),
  }
}
