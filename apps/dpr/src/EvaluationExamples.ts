import type { RetrievalData } from "@tandem/datasets"
import { type ReadOptions, readExamples } from "@tandem/datasets/node/Files"
import { decidingMetric, goldOf } from "@tandem/objectives"
import { SettingsError } from "@tandem/runs"
import { Effect } from "effect"

/**
 * Reads questions to measure with, and what there is to say about them. Some may name no positive passage: they are
 * measured by their answers alone. Questions without passages to search end in `SettingsError`.
 */
export const readEvaluation = Effect.fnUntraced(function* (files: readonly string[], options: ReadOptions) {
  const data = yield* readExamples(files, { ...options, evaluation: true })
  if (data.corpus.size === 0) {
    return yield* new SettingsError({
      message: "the evaluation questions bring no passages to search",
      file: files.join(", "),
      field: "corpus",
      expected: "passages",
      found: "none",
      hint: "name the passages with `corpus`",
    })
  }
  return { data, warnings: [...data.warnings.map(({ message }) => message), ...ofAnswers(data)] }
})

/** What is measured otherwise than by positives, or not at all. */
const ofAnswers = (data: RetrievalData): readonly string[] => {
  const { examples, statistics } = data
  const without = examples.filter((example) => goldOf(example).size === 0).length
  const dropped = statistics.droppedWithoutPositive
  return [
    ...(dropped === 0
      ? []
      : [`${dropped} of ${statistics.rows} rows have neither a positive passage nor an answer and were left out`]),
    ...(without === 0
      ? []
      : without === examples.length
        ? [
            `the questions name no positive passage: they are measured by their answers, ${decidingMetric(data)} decides`,
          ]
        : [`${without} of ${examples.length} questions name no positive passage: they count in answerRecall alone`]),
  ]
}
