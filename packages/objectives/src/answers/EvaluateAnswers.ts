import {
  type AnswerMetricName,
  type AnswerReport,
  type AnswerResult,
  evaluateAnswers,
  InvalidEvaluation,
} from "@tandem/evals"
import { type GeneratorError, type GeneratorShape, InvalidPrompt, type Prompts } from "@tandem/generator"
import { Effect } from "effect"
import type { PreparedQuestion } from "../ralt/PreparedQuestion.ts"
import { type AnswerVariant, answerContexts, answerVariants } from "./AnswerContexts.ts"

/** What is measured of a generator's answers. */
export interface AnswerEvaluation {
  readonly questions: readonly PreparedQuestion[]
  readonly prompts: Pick<Prompts, "prompt" | "answer" | "settings">
  /** Passages in the prompt of the variant `retrieved`, best first, and in that of `random`. */
  readonly k: number
  /** Draws the passages of the variant `random`. */
  readonly seed: number
  readonly variants?: readonly AnswerVariant[]
  /** Answers are written for so many questions, the first ones, closed book and with what was retrieved; 0 for none. */
  readonly written: number
}

/** What one variant came to. */
export interface VariantResult {
  /** Of the likelihoods of the expected answers. */
  readonly likelihoods: AnswerReport
  /** Of what was written; absent where nothing was. */
  readonly writing?: AnswerReport
  /** What was written, by question id. */
  readonly written: Readonly<Record<string, string>>
}

export type VariantResults = { readonly [name in AnswerVariant]?: VariantResult }

const writing: readonly AnswerVariant[] = ["closedBook", "retrieved"]

/** Questions whose answers are scored before progress is told. */
const together = 32

/**
 * Measures a generator's answers to questions with nothing, other questions' passages, what was found, and the passage that
 * answers: nats a token of the expected answer, its end included, and of answers that are written (greedily) exact match, F1
 * and ROUGE-L. A variant that no question has passages for is absent. A question that does not fit ends in `InvalidPrompt`;
 * an id that stands twice, and answers whose likelihood is no number, in `InvalidEvaluation`.
 */
export const evaluateVariants = Effect.fn("objectives.evaluateVariants")(function* (
  generator: Pick<GeneratorShape, "score" | "generate">,
  options: AnswerEvaluation,
  progress: (name: string, done: number, total: number) => void,
): Effect.fn.Return<VariantResults, GeneratorError | InvalidEvaluation> {
  const { questions, prompts, variants = answerVariants, written } = options
  const found: { [name in AnswerVariant]?: VariantResult } = {}
  for (const variant of variants) {
    const contexts = answerContexts(questions, variant, options)
    const asked = yield* attemptToMeasure(() =>
      questions.flatMap((question, index) => {
        const passages = contexts[index]
        return passages === undefined ? [] : [{ question, ids: prompts.prompt(question.query, passages).ids }]
      }),
    )
    if (asked.length === 0) continue
    const results: AnswerResult[] = []
    for (let start = 0; start < asked.length; start += together) {
      progress(`scoring answers, ${names[variant]}`, start, asked.length)
      const some = asked.slice(start, start + together)
      const requests = yield* attemptToMeasure(() =>
        some.map(({ question, ids }) => ({ prompts: [{ ids }], answer: prompts.answer(question.answer) })),
      )
      const scores = yield* generator.score(requests)
      for (const [index, { question }] of some.entries()) {
        const [score] = scores[index]!
        const { logprob, perToken } = score!
        results.push({ id: question.id, likelihood: { logprob: Math.min(0, logprob), tokens: perToken.length } })
      }
    }
    const texts: Record<string, string> = {}
    const chosen = writing.includes(variant) ? asked.slice(0, written) : []
    for (let start = 0; start < chosen.length; start += together) {
      progress(`writing answers, ${names[variant]}`, start, chosen.length)
      const some = chosen.slice(start, start + together)
      const generations = yield* generator.generate(
        some.map(({ ids }) => ({ ids })),
        { maxTokens: prompts.settings.maxAnswer },
      )
      for (const [index, { question }] of some.entries())
        texts[question.id] = generations[index]?.[0]?.text.trim() ?? ""
    }
    const predictions = chosen.map(({ question: { id, answers } }) => ({ id, prediction: texts[id] ?? "", answers }))
    found[variant] = yield* attemptToMeasure(() => ({
      likelihoods: evaluateAnswers({ results }),
      written: texts,
      ...(predictions.length === 0 ? {} : { writing: evaluateAnswers({ results: predictions }) }),
    }))
  }
  return found
})

export const attemptToMeasure = <A>(body: () => A): Effect.Effect<A, InvalidPrompt | InvalidEvaluation> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (cause) {
      return cause instanceof InvalidPrompt || cause instanceof InvalidEvaluation
        ? Effect.fail(cause)
        : Effect.die(cause)
    }
  })

const names: Readonly<Record<AnswerVariant, string>> = {
  closedBook: "closed book",
  random: "random passages",
  retrieved: "retrieved passages",
  gold: "gold passages",
}

/** A variant's figures, by name. */
export const variantFigures = ({
  likelihoods,
  writing: said,
}: VariantResult): Readonly<Partial<Record<AnswerMetricName, number>>> => {
  const { n: _, ...metrics } = { ...likelihoods.metrics, ...said?.metrics }
  return metrics
}

/** The values behind each figure, by question, such that their mean is the figure: of `nll` each answer's share of all nats. */
export const variantValues = ({
  likelihoods,
  writing: said,
}: VariantResult): Readonly<Partial<Record<AnswerMetricName, readonly number[]>>> => {
  const tokens = likelihoods.tokens ?? new Float64Array()
  const mean = tokens.reduce((sum, count) => sum + count, 0) / tokens.length
  const nll = likelihoods.perQuestion.nll?.map((value, index) => (value * tokens[index]!) / mean)
  const all = { ...said?.perQuestion, ...(nll === undefined ? {} : { nll }) }
  return Object.fromEntries(Object.entries(all).map(([name, values]) => [name, [...values]]))
}
