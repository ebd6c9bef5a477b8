import type { InvalidEvaluation } from "@tandem/evals"
import { type GeneratorError, type LocalGenerator, makeLocalGenerator } from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import { takePart } from "@tandem/onnx"
import { type Measured, type Measurement, type Observe, progressTo, type RunServices, type Weights } from "@tandem/runs"
import { type Feed, Runtime } from "@tandem/runtime"
import { Effect, Exit, Scope } from "effect"
import { type AdapterShape, besideAdapters } from "../generator/BesideAdapters.ts"
import { generatorPart } from "../generator/CallGenerator.ts"
import { answerCharts, answerExamples } from "./AnswerPage.ts"
import {
  type AnswerEvaluation,
  evaluateVariants,
  type VariantResults,
  variantFigures,
  variantValues,
} from "./EvaluateAnswers.ts"

/** What a run's answers are measured with. */
export interface AnswerMeasurement extends AnswerEvaluation {
  readonly model: LanguageModel
  /** How its adapters are shaped, where some are over weights of few bits and stay beside them. */
  readonly adapters?: AdapterShape
  /** The variant whose `nll` decides which weights are kept: what is trained without passages is not asked with them. */
  readonly decidedBy: "retrieved" | "closedBook"
  readonly observe: Observe
}

/**
 * Answers to the evaluation questions, in all variants; the weights whose answers are likeliest in the variant that decides
 * are kept (`retrieved.nll` or `closedBook.nll`, nats a token).
 */
export const measureAnswers = (
  options: AnswerMeasurement,
): Effect.Effect<Measurement<GeneratorError | InvalidEvaluation>, never, RunServices> =>
  Effect.map(generatorOf(options.model, options.adapters), (generator) => ({
    metric: `${options.decidedBy}.nll`,
    better: "smaller",
    measure: ({ weights }) =>
      Effect.scoped(
        Effect.flatMap(generator(weights), (reader) =>
          Effect.map(evaluateVariants(reader, options, progressTo(options.observe)), (results) =>
            measuredAnswers(options.questions.length, results),
          ),
        ),
      ),
    baselines: {},
    page: {
      headline: [`${options.decidedBy}.exactMatch`, `${options.decidedBy}.nll`],
      charts: answerCharts,
      sections: (systems) => answerExamples(options.questions, systems),
    },
  }))

/** A run's figures: `VARIANT.FIGURE`. */
export const measuredAnswers = (n: number, results: VariantResults): Measured => {
  const all = Object.entries(results)
  const named = <A>(values: (result: (typeof all)[number][1]) => Readonly<Record<string, A>>) =>
    Object.fromEntries(
      all.flatMap(([variant, result]) =>
        Object.entries(values(result)).map(([name, value]) => [`${variant}.${name}`, value] as const),
      ),
    )
  return {
    metrics: { n, ...named(variantFigures) },
    perQuestion: named(variantValues),
    shown: Object.fromEntries(all.map(([variant, { written }]) => [variant, written])),
  }
}

/**
 * Generators over weights by joint name. One over resident buffers, which are those of a run's training, is kept: what it
 * compiled reads them as they are at the moment.
 */
export const generatorOf = Effect.fnUntraced(function* (model: LanguageModel, adapters?: AdapterShape) {
  const owner = yield* Effect.scope
  const runtime = yield* Runtime
  let kept: { readonly of: string; readonly generator: LocalGenerator; readonly scope: Scope.Closeable } | undefined
  return Effect.fnUntraced(function* (weights: Weights["weights"]) {
    const own = takePart(new Map(Object.entries(weights)), generatorPart)
    const given: Readonly<Record<string, Feed>> = {
      ...Object.fromEntries(model.parameters),
      ...Object.fromEntries(own),
    }
    const ids = Object.values(given).map((feed) => ("id" in feed ? feed.id : undefined))
    const adapt = adapters === undefined ? undefined : besideAdapters(own.keys(), adapters)
    const made = makeLocalGenerator({ model, weights: given, ...(adapt === undefined ? {} : { adapt }) }).pipe(
      Effect.provideService(Runtime, runtime),
    )
    if (ids.includes(undefined)) return yield* made
    const of = ids.join()
    if (kept?.of === of) return kept.generator
    if (kept !== undefined) yield* Scope.close(kept.scope, Exit.void)
    const scope = yield* Scope.fork(owner)
    const generator = yield* Effect.provideService(made, Scope.Scope, scope)
    kept = { of, generator, scope }
    return generator
  })
})
