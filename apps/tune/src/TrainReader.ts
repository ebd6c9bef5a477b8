import { existsSync } from "node:fs"
import { join } from "node:path"
import { RaltSettings, trainRalt } from "@tandem/dual"
import type { RunOptions } from "@tandem/runs"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Schema } from "effect"
import type { ReaderPlan } from "./Plan.ts"
import { readerAnswers, readerBatch, readerPassages } from "./ReaderPlan.ts"
import type { TuneSettings } from "./Settings.ts"

/** The run folder of the reader, below that of the retriever; whoever opens the latter finds it there. */
export const readerFolder = (out: string): string => join(out, "reader")

export interface ReaderFiles {
  readonly train: string
  readonly dev: string
  readonly corpus: string
}

/** Sizes of a reader from nothing. */
export const tinyReader = { hidden: 128, layers: 2, heads: 4, intermediate: 512, vocabulary: 8000 }

export const isTiny = (model: string): boolean => /^tiny(:|$)/.test(model)

/**
 * Trains a reader on the passages that the tuned retriever of `out` finds for the questions: adapters of a model that there
 * is, all weights of a tiny one. Measured before and after, both times with the tuned retriever's passages.
 */
export const trainReader = Effect.fn("tune.trainReader")(function* (
  { out, seed = 0, device = "cpu", threads }: TuneSettings,
  plan: ReaderPlan,
  files: ReaderFiles,
  options: Pick<RunOptions, "observe" | "stopRequested">,
) {
  const folder = readerFolder(out)
  const chosen = yield* Schema.decodeUnknownEffect(RaltSettings)({
    ...{ data: [files.train], dev: [files.dev], corpus: files.corpus, retriever: out, generator: plan.model },
    ...{ out: folder, seed, device, k: readerPassages, batchSize: readerBatch, answers: readerAnswers },
    ...(threads === undefined ? {} : { threads }),
    ...(isTiny(plan.model) ? { lr: 1e-3, tiny: tinyReader } : { lora: "16:32" }),
    ...{ epochs: plan.epochs, maxSteps: plan.steps, evalEvery: plan.steps, saveEvery: 20 },
    resume: existsSync(runPaths(folder).config),
  }).pipe(Effect.orDie)
  return yield* trainRalt(chosen, options)
})
