import { existsSync } from "node:fs"
import { type Verdict, verdict } from "@tandem/evals"
import type { VariantResults } from "@tandem/objectives"
import { SettingsError } from "@tandem/runs"
import { onDisk, readJson } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Schema } from "effect"

const RunConfig = Schema.Struct({ settings: Schema.Struct({ generator: Schema.String }) })

/** The model that a run began with, by its name. */
export const startedFrom = Effect.fnUntraced(function* (run: string) {
  const { config } = runPaths(run)
  if (!existsSync(config)) {
    return yield* new SettingsError({
      message: `${run} is no run folder, so it is not known what was trained`,
      file: run,
      field: "without",
      expected: "`run` with the folder of a finished run",
      hint: "leave `without` out, or measure a run",
    })
  }
  const content = yield* readJson(config)
  const { settings } = yield* onDisk(config, async () => Schema.decodeUnknownSync(RunConfig)(content))
  if (!/^tiny(:|$)/.test(settings.generator)) return settings.generator
  return yield* new SettingsError({
    message: "a tiny model of random weights is not there any more as it began",
    file: run,
    field: "without",
    expected: "runs that began with a model of a folder or of the hub",
    found: settings.generator,
    hint: "leave `without` out",
  })
})

/** Answers of the three models that tell apart what retrieval and what training does, to the same questions. */
export interface Compared {
  /** The model as it was. */
  readonly before: VariantResults
  /** Fine-tuned on questions and answers alone. */
  readonly without: VariantResults
  /** Trained with retrieval. */
  readonly after: VariantResults
}

/** What the data need: retrieval, fine-tuning, both or neither, by F1 of written answers, or by their nats a token. */
export const verdictOf = ({ before, without, after }: Compared): Verdict | undefined => {
  const results = [before.closedBook, before.retrieved, without.closedBook, after.retrieved]
  const written = results.every((result) => result?.writing !== undefined)
  const [closedBook, retrievedBefore, fineTunedWithoutRetrieval, retrievedAfter] = results.map((result) =>
    written ? result?.writing : result?.likelihoods,
  )
  if (!closedBook || !retrievedBefore || !fineTunedWithoutRetrieval || !retrievedAfter) return undefined
  const systems = { closedBook, retrievedBefore, fineTunedWithoutRetrieval, retrievedAfter }
  return verdict(systems, { metric: written ? "f1" : "nll" })
}
