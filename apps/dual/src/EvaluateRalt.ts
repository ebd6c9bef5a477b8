import { makeLocalGenerator } from "@tandem/generator"
import { answerVariants, evaluateVariants, type VariantResults, variantFigures } from "@tandem/objectives"
import { progressTo, type RunOptions } from "@tandem/runs"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import type { PassageSource } from "./FindPassages.ts"
import { type GeneratorSource, openGenerator } from "./OpenGenerator.ts"
import { askable, findAll, readQuestions, textsOf } from "./RaltData.ts"

/** What `evaluateRalt` is told. */
export type EvaluateRaltSettings = PassageSource &
  GeneratorSource & {
    readonly data: readonly string[]
    readonly format?: string
    /** Numbers of passages in a prompt, rising; the last one is that of the figures. */
    readonly kEval: readonly number[]
    /** Questions that answers are written for. */
    readonly answers: number
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
}

/** Measures a generator's answers to questions without passages, with other questions', with found ones and with gold ones. */
export const evaluateRalt = Effect.fn("ralt.evaluate")((settings: EvaluateRaltSettings, { observe }: RunOptions) => {
  const { data, kEval, answers, seed, device, threads } = settings
  return Effect.gen(function* () {
    yield* observe({ event: "phase", name: "reading data" })
    const questions = yield* readQuestions(data, "data", settings)
    yield* observe({ event: "phase", name: "loading the model" })
    const { model, prompts } = yield* openGenerator(settings, { seed, texts: () => textsOf(questions) })
    const most = Math.max(...kEval)
    const [found] = yield* findAll([{ questions, k: most, files: data }], settings, { observe })
    const asked = yield* askable(found!.questions, prompts, "data")
    for (const message of asked.warnings) yield* observe({ event: "warning", message })
    const generator = yield* makeLocalGenerator({ model })
    const measure = (k: number, variants: typeof answerVariants | readonly ["retrieved"]) =>
      evaluateVariants(
        generator,
        { questions: asked.questions, prompts, k, seed, written: answers, variants },
        progressTo(observe),
      )
    const whole = yield* measure(most, answerVariants)
    const sweep: RaltFigures["sweep"][number][] = []
    for (const k of kEval) {
      const { retrieved } = k === most ? whole : yield* measure(k, ["retrieved"])
      if (retrieved !== undefined) sweep.push({ k, retrieved: figuresOf({ retrieved })["retrieved"] ?? {} })
    }
    return { n: asked.questions.length, k: most, variants: figuresOf(whole), sweep } satisfies RaltFigures
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
