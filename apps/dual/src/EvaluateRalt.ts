import type { Verdict } from "@tandem/evals"
import { makeLocalGenerator } from "@tandem/generator"
import {
  type AnswerVariant,
  answerVariants,
  evaluateVariants,
  type VariantResults,
  variantFigures,
} from "@tandem/objectives"
import { type GeneratorSource, openGenerator } from "@tandem/objectives/node/OpenGenerator"
import { askable, readQuestions, textsOf } from "@tandem/objectives/node/Questions"
import { progressTo, type RunOptions } from "@tandem/runs"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { checkSource } from "./CheckSource.ts"
import type { PassageSource } from "./FindPassages.ts"
import { findAll } from "./RaltData.ts"
import { startedFrom, verdictOf } from "./RaltVerdict.ts"

/** What `evaluateRalt` is told. */
export type EvaluateRaltSettings = PassageSource &
  GeneratorSource & {
    readonly data: readonly string[]
    readonly format?: string
    /** Numbers of passages in a prompt, rising; the last one is that of the figures. */
    readonly kEval: readonly number[]
    /** Questions that answers are written for. */
    readonly answers: number
    /** A run fine-tuned on questions and answers alone (`closedBookShare` 1): with it the verdict is told. */
    readonly without?: string
    /** Draws the passages of the variant `random`. */
    readonly seed: number
    readonly device: NodeProvider | "auto"
    readonly threads?: number
  }

type Figures = Readonly<Record<string, number>>

/** Figures by variant, and of what was retrieved for each number of passages. */
export interface RaltFigures {
  readonly n: number
  readonly k: number
  readonly variants: Readonly<Record<string, Figures>>
  readonly sweep: readonly { readonly k: number; readonly retrieved: Figures }[]
  /** What the data need, where there is a run to compare with. */
  readonly verdict?: Pick<Verdict, "metric" | "needs" | "words">
}

/** Measures a generator's answers to questions without passages, with other questions', with found ones and with gold ones. */
export const evaluateRalt = Effect.fn("ralt.evaluate")((settings: EvaluateRaltSettings, { observe }: RunOptions) => {
  const { data, kEval, answers, seed, device, threads } = settings
  return Effect.gen(function* () {
    yield* observe({ event: "phase", name: "reading data" })
    const questions = yield* readQuestions(data, "data", settings)
    yield* checkSource(settings, [questions])
    yield* observe({ event: "phase", name: "loading the model" })
    const { model, prompts } = yield* openGenerator(settings, { seed, texts: () => textsOf(questions) })
    const other = (name: string) => openGenerator({ generator: name }, { seed, texts: () => textsOf(questions) })
    const others =
      settings.without === undefined
        ? undefined
        : {
            before: yield* other(yield* startedFrom(settings.generator)),
            tuned: yield* other(settings.without),
          }
    const most = Math.max(...kEval)
    const [prepared] = yield* findAll([{ questions, k: most, files: data }], settings, { observe })
    const fitting = yield* askable(prepared!.questions, prompts, "data")
    const asked = others === undefined ? fitting : yield* askable(fitting.questions, others.tuned.prompts, "data")
    for (const message of fitting.warnings) yield* observe({ event: "warning", message })
    const measureOf = Effect.fnUntraced(function* (reader: typeof model, asking: typeof prompts) {
      const generator = yield* makeLocalGenerator({ model: reader })
      return (k: number, variants: readonly AnswerVariant[]) =>
        evaluateVariants(
          generator,
          { questions: asked.questions, prompts: asking, k, seed, written: answers, variants },
          progressTo(observe),
        )
    })
    const measure = yield* measureOf(model, prompts)
    const whole = yield* measure(most, answerVariants)
    const sweep: RaltFigures["sweep"][number][] = []
    for (const k of kEval) {
      const { retrieved } = k === most ? whole : yield* measure(k, ["retrieved"])
      if (retrieved !== undefined) sweep.push({ k, retrieved: figuresOf({ retrieved })["retrieved"] ?? {} })
    }
    const figures: RaltFigures = { n: asked.questions.length, k: most, variants: figuresOf(whole), sweep }
    if (others === undefined) return figures
    const { before, tuned } = others
    const found = verdictOf({
      before: yield* Effect.scoped(
        Effect.flatMap(measureOf(before.model, prompts), (run) => run(most, ["closedBook", "retrieved"])),
      ),
      without: yield* Effect.scoped(
        Effect.flatMap(measureOf(tuned.model, tuned.prompts), (run) => run(most, ["closedBook"])),
      ),
      after: whole,
    })
    if (found === undefined) return figures
    const { metric, needs, words } = found
    return { ...figures, verdict: { metric, needs, words } } satisfies RaltFigures
  }).pipe(Effect.scoped, Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })))
})

const figuresOf = (results: VariantResults): Readonly<Record<string, Figures>> =>
  Object.fromEntries(
    Object.entries(results).map(([name, result]) => [
      name,
      Object.fromEntries(
        Object.entries(variantFigures(result)).flatMap(([metric, value]) =>
          value === undefined ? [] : [[metric, value] as const],
        ),
      ),
    ]),
  )
