import { type AnswerReport, type AnswerResult, evaluateAnswers, type InvalidEvaluation } from "@tandem/evals"
import type { GeneratorError, GeneratorShape } from "@tandem/generator"
import { Effect } from "effect"
import type { LabelledText } from "../ralt/LabelledText.ts"
import { attemptToMeasure, variantValues } from "./EvaluateAnswers.ts"

/** Groups of texts by what they were shown: a context that retrieval found what answers for, and one where it failed. */
export const textGroups = ["success", "failed"] as const
export type TextGroup = (typeof textGroups)[number]

/** What texts came to; a group that no text belongs to is absent. */
export interface TextResults {
  readonly all: AnswerReport
  readonly groups: { readonly [name in TextGroup]?: AnswerReport }
}

/** The group that a text says it belongs to; many say nothing. */
export const groupOf = ({ failed }: Pick<LabelledText, "failed">): TextGroup | undefined =>
  failed === undefined ? undefined : failed ? "failed" : "success"

/** Texts that are scored before progress is told. */
const together = 32

/**
 * How likely what a model learns of texts is to it: `nll` in nats a token over all their trained tokens, whatever a text
 * counts for in training, of all texts and of each group, with intervals for which texts are resampled. An id that stands
 * twice, no text, and likelihoods that are no numbers end in `InvalidEvaluation`.
 */
export const evaluateTexts = Effect.fn("objectives.evaluateTexts")(function* (
  generator: Pick<GeneratorShape, "score">,
  texts: readonly LabelledText[],
  progress: (name: string, done: number, total: number) => void,
): Effect.fn.Return<TextResults, GeneratorError | InvalidEvaluation> {
  const results: (AnswerResult & { readonly group: TextGroup | undefined })[] = []
  for (let start = 0; start < texts.length; start += together) {
    progress("scoring texts", start, texts.length)
    const some = texts.slice(start, start + together)
    const scores = yield* generator.score(
      some.map(({ prompt, answer }) => ({ prompts: [{ ids: prompt }], answer: { ids: answer } })),
    )
    for (const [index, text] of some.entries()) {
      const trained = scores[index]![0]!.perToken.filter((_, at) => text.labels[at])
      const logprob = Math.min(
        0,
        trained.reduce((sum, each) => sum + each, 0),
      )
      results.push({ id: text.id, group: groupOf(text), likelihood: { logprob, tokens: trained.length } })
    }
  }
  return yield* attemptToMeasure(() => ({
    all: evaluateAnswers({ results }),
    groups: Object.fromEntries(
      textGroups.flatMap((name) => {
        const own = results.filter(({ group }) => group === name)
        return own.length === 0 ? [] : [[name, evaluateAnswers({ results: own })] as const]
      }),
    ),
  }))
})

/** Reports by the names of their figures: `nll`, `success.nll`, `failed.nll`. */
export const textReports = ({ all, groups }: TextResults): Readonly<Record<string, AnswerReport>> => ({
  nll: all,
  ...Object.fromEntries(Object.entries(groups).map(([name, report]) => [`${name}.nll`, report])),
})

/** The values behind a report's `nll`, by text, such that their mean is the figure: each text's share of all nats. */
export const textValues = (report: AnswerReport): readonly number[] =>
  variantValues({ likelihoods: report, written: {} }).nll ?? []
