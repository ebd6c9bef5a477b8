import { makeLocalGenerator } from "@tandem/generator"
import { evaluateVariants, figures, measureSystem, preparedQuestion, variantFigures } from "@tandem/objectives"
import { openGenerator } from "@tandem/objectives/node/OpenGenerator"
import { openSearched, type SearchedRun } from "@tandem/objectives/node/OpenSearch"
import { askableData, rawQuestions } from "@tandem/objectives/node/Questions"
import { progressTo, type RunOptions } from "@tandem/runs"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { trainedAs } from "./TrainedAs.ts"

/** What `evaluateJoint` is told. */
export interface EvaluateJointSettings extends SearchedRun {
  readonly data: readonly string[]
  readonly format?: string
  /** Passages that the data's ids speak of, where the data do not bring them. */
  readonly corpus?: string
  /** Passages of a question; as in the run's evaluations where absent. */
  readonly kEval?: number
  /** Questions that answers are written for. */
  readonly answers: number
  /** A run that was fine-tuned without passages: what it answers closed book stands beside. */
  readonly without?: string
  /** Draws the passages of the variant `random`. */
  readonly seed: number
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/** Figures of a whole system: those of retrieval by their names, those of answers by variant. */
export interface JointFigures {
  readonly n: number
  readonly k: number
  readonly retrieval: Readonly<Record<string, number>>
  readonly variants: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/**
 * Measures a finished joint run on questions: what it finds, and its answers without passages, with another question's, with
 * what it finds and with the passage that answers; `fineTunedWithoutRetrieval` are those of another run's generator.
 */
export const evaluateJoint = Effect.fn("joint.evaluate")((settings: EvaluateJointSettings, options: RunOptions) => {
  const { run, data, answers, seed, device, threads, without } = settings
  const { observe } = options
  return Effect.gen(function* () {
    yield* observe({ event: "phase", name: "reading data" })
    const read = yield* rawQuestions(data, "data", settings)
    const { loss, kEval: trained, renewEvery } = yield* trainedAs(run)
    const { kEval: k = trained } = settings
    const { towers, retrieval, store } = yield* openSearched(settings, options)
    const { model, prompts } = yield* openGenerator({ generator: run }, { seed, texts: () => [] })
    const asked = yield* askableData(read.data, read.data.corpus, prompts, "data")
    for (const message of [...read.warnings, ...asked.warnings]) yield* observe({ event: "warning", message })
    const reader = yield* makeLocalGenerator({ model })
    const { metrics } = yield* measureSystem(
      { model, reader, query: towers.query, store },
      {
        dev: asked.data,
        corpus: read.data.corpus,
        retrieval,
        k,
        prompts,
        seed,
        written: answers,
        observe,
        loss,
        ...(typeof renewEvery === "number" ? { renewEvery } : {}),
      },
    )
    const { n = 0, ...all } = metrics
    const variants: Record<string, Record<string, number>> = {}
    const found: Record<string, number> = {}
    for (const [name, value] of Object.entries(all)) {
      const [variant = "", metric] = name.split(".")
      if (metric === undefined) found[name] = value
      else variants[variant] = { ...variants[variant], [metric]: value }
    }
    if (without !== undefined) {
      const other = yield* openGenerator({ generator: without }, { seed, texts: () => [] })
      const alone = yield* Effect.scoped(
        Effect.flatMap(makeLocalGenerator({ model: other.model }), (generator) =>
          evaluateVariants(
            generator,
            {
              questions: asked.data.examples.map((example) => preparedQuestion(example, [], read.data.corpus)),
              prompts: other.prompts,
              k: 1,
              seed,
              written: answers,
              variants: ["closedBook"],
            },
            progressTo(observe),
          ),
        ),
      )
      if (alone.closedBook !== undefined)
        variants["fineTunedWithoutRetrieval"] = { ...figures(variantFigures(alone.closedBook)) }
    }
    return { n, k, retrieval: found, variants } satisfies JointFigures
  }).pipe(Effect.scoped, Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })))
})
