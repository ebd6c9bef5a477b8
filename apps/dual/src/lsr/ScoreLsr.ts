import {
  allPassages,
  type LabelledPicks,
  labelledPicks,
  pickWarnings,
  type TaughtHit,
  type TaughtQuestion,
  teachBy,
} from "@tandem/objectives"
import { retrievalSettings } from "@tandem/objectives/node/LoadTowers"
import { openTeacher } from "@tandem/objectives/node/OpenTeacher"
import { ownTowers } from "@tandem/objectives/node/OwnTowers"
import { askableData, rawQuestions, textsOf } from "@tandem/objectives/node/Questions"
import { searchedIndex } from "@tandem/objectives/node/SearchedIndex"
import { writeTeacherScores } from "@tandem/objectives/node/TeacherScores"
import { progressTo, type RunOptions, SettingsError } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { findOnce, taughtQuestions } from "./LsrData.ts"
import type { ScoreSettings } from "./ScoreSettings.ts"
import { scoreWith } from "./TrainLsr.ts"

/** What was scored. */
export interface ScoredCounts {
  readonly questions: number
  readonly pairs: number
  readonly out: string
  /** How often retriever and teacher put the passage first that the data name. */
  readonly labelled: LabelledPicks
}

/**
 * Has a teacher score the passages that a retriever finds, and writes the file that `lsr train` takes as `scores`. Scores are
 * kept beside it (`FILE.cache`, or `scoreCache`) as they come: killed and called again it asks for the others alone.
 */
export const scoreLsr = Effect.fn("lsr.score")((settings: ScoreSettings, { observe, runtime }: RunOptions) => {
  const { generator, out, k, seed, device: place, threads: count } = settings
  return Effect.gen(function* () {
    if (generator === undefined) {
      return yield* new SettingsError({
        message: "nobody says which passages help",
        field: "generator",
        expected: "`generator` M|RUN|URL, a teacher",
      })
    }
    yield* observe({ event: "phase", name: "reading data" })
    const questions = yield* rawQuestions(settings.data, "data", settings)
    yield* observe({ event: "phase", name: "loading the models" })
    const from = { seed, dropout: 0, texts: () => textsOf(questions) }
    const towers = yield* ownTowers(settings, from)
    const retrieval = yield* retrievalSettings(settings, towers)
    const opened = yield* openTeacher({ ...settings, generator }, from)
    const passages = yield* allPassages([{ data: questions.data, files: settings.data }])
    const store = yield* searchedIndex(settings, { towers, retrieval }, passages, observe)
    const asked = yield* askableData(questions.data, passages, opened.prompts, "data")
    for (const message of [...questions.warnings, ...asked.warnings]) yield* observe({ event: "warning", message })
    const score = yield* scoreWith({ out, scoreCache: settings.scoreCache ?? `${out}.cache` }, opened)
    const found: ReadonlyMap<TaughtQuestion, readonly TaughtHit[]> = yield* findOnce(
      { towers, retrieval, store, k },
      taughtQuestions(asked.data.examples),
      teachBy(score, "lsr"),
      progressTo(observe),
    )
    yield* writeTeacherScores(out, found)
    const pairs = [...found.values()].reduce((sum, { length }) => sum + length, 0)
    const labelled = labelledPicks(found)
    for (const message of pickWarnings(labelled)) yield* observe({ event: "warning", message })
    return { questions: found.size, pairs, out, labelled } satisfies ScoredCounts
  }).pipe(
    Effect.scoped,
    Effect.provide(runtime ?? layer({ device: place, ...(count === undefined ? {} : { threads: count }) })),
  )
})
