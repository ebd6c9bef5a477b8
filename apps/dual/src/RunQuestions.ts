import { existsSync } from "node:fs"
import { join } from "node:path"
import { type Prepared, readPrepared, writePrepared } from "@tandem/objectives/node/PreparedFile"
import type { Questions } from "@tandem/objectives/node/Questions"
import type { RunOptions } from "@tandem/runs"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect } from "effect"
import { findAll } from "./RaltData.ts"
import type { RaltSettings } from "./Settings.ts"

/** A run's questions with their passages. */
export interface RunQuestions {
  readonly train: Prepared | undefined
  readonly dev: Prepared | undefined
  /** Writes into the run folder what was found, so that a run that goes on searches nothing again. */
  readonly keep: Effect.Effect<void, Effect.Error<ReturnType<typeof writePrepared>>>
}

/** Finds the passages of a run's questions, or reads those that it has found before. */
export const runQuestions = Effect.fnUntraced(function* (
  settings: RaltSettings,
  questions: { readonly train: Questions | undefined; readonly dev: Questions | undefined },
  options: RunOptions,
) {
  const { k, kEval = k, passagesPerPrompt, data, dev: devFiles, out } = settings
  const looked = [
    { name: "train", set: questions.train, k: Math.max(k, passagesPerPrompt), files: data },
    { name: "dev", set: questions.dev, k: kEval, files: devFiles },
  ] as const
  const sets = looked.flatMap(({ set, name, ...rest }) =>
    set === undefined ? [] : [{ ...rest, name, questions: set, kept: join(runPaths(out).prepared, `${name}.jsonl`) }],
  )
  const isKept = sets.every((set) => set.questions.kind === "prepared" || existsSync(set.kept))
  const found: readonly Prepared[] = yield* settings.resume && isKept
    ? Effect.forEach(sets, (set) =>
        set.questions.kind === "prepared" ? Effect.succeed(set.questions.prepared) : readPrepared(set.kept),
      )
    : findAll(sets, settings, options)
  const of = (name: string): Prepared | undefined => found[sets.findIndex((set) => set.name === name)]
  const result: RunQuestions = {
    train: of("train"),
    dev: of("dev"),
    keep: Effect.forEach(
      sets,
      (set, index) => (set.questions.kind === "raw" ? writePrepared(set.kept, found[index]!) : Effect.void),
      { discard: true },
    ),
  }
  return result
})
