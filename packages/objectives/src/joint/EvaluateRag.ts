import { type AnswerReport, type AnswerResult, evaluateAnswers, type InvalidEvaluation } from "@tandem/evals"
import {
  answerFromPassages,
  type GeneratorError,
  type Mixture,
  marginalScore,
  type Prompts,
  type RagAnswer,
  type RagDecoding,
  type RagGenerator,
  type RagRequest,
} from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import { Effect } from "effect"
import { attemptToMeasure } from "../answers/EvaluateAnswers.ts"
import { foundPassages, type PreparedQuestion } from "../ralt/PreparedQuestion.ts"
import type { JointLoss } from "./JointProgram.ts"
import { ragRequestOf } from "./RagRequest.ts"
import {
  type Renewal,
  type RenewedSources,
  renewedAnswers,
  renewedLikelihoods,
  renewedSources,
} from "./RenewedAnswers.ts"

/** How a question is answered from several passages. */
export interface RagSettings {
  /** Which passages explain an answer. */
  readonly loss: JointLoss
  /** Passages of a question. */
  readonly k: number
  /** τ_R: similarities are divided by it. */
  readonly temperature: number
}

/** What is measured of answers from retrieved passages. */
export interface RagEvaluation extends RagSettings {
  /** With the passages that were found for them, best first. */
  readonly questions: readonly PreparedQuestion[]
  readonly prompts: Pick<Prompts, "prompt" | "answer" | "settings">
  /** Answers are written for so many questions, the first ones; 0 for none. */
  readonly written: number
}

/** Measures the same of answers whose passages are searched again as they grow. */
export interface RenewedEvaluation<E, R> extends Renewal<E, R> {
  readonly model: LanguageModel
}

/** What measuring comes to. */
export interface RagResult {
  /** Of the likelihoods of the expected answers, the passages summed out. */
  readonly likelihoods: AnswerReport
  /** Of what was written; absent where nothing was. */
  readonly writing?: AnswerReport
  /** What was written, by question id. */
  readonly answers: ReadonlyMap<
    string,
    Pick<RagAnswer, "text" | "tokens" | "logprob"> & {
      readonly posterior?: readonly number[]
      /** Where passages were searched again: all of them, which the tokens' weights stand for then. */
      readonly sources?: RenewedSources["sources"]
    }
  >
  /** Of each question's passages, p before and after its expected answer is known; by question id. */
  readonly passages: ReadonlyMap<string, { readonly prior: readonly number[]; readonly posterior: readonly number[] }>
}

/** Whether the loss takes each token, or a whole answer, from one passage. */
export const mixtureOf = (loss: JointLoss): Mixture => (loss === "rag-token" ? "token" : "sequence")

/** How answers are written by a model that was trained with the loss. */
export const decodingOf = (loss: JointLoss): RagDecoding =>
  loss === "rag-token" ? { kind: "token" } : { kind: "sequence", search: "fast" }

/** A question with its `k` best passages, as a generator answers it; where nothing was found, without any. */
export const ragRequest = (
  question: PreparedQuestion,
  prompts: Pick<Prompts, "prompt">,
  { k, temperature }: Pick<RagSettings, "k" | "temperature">,
): RagRequest => {
  const found = foundPassages(question).slice(0, k)
  return ragRequestOf(
    question.query,
    found.map(({ score = 0, ...passage }) => ({ ...passage, score })),
    { prompts, temperature },
  )
}

/** Questions that are measured before progress is told. */
const together = 32

/**
 * Measures answers from what was found, each passage by itself and all of them summed out as the loss does it: nats a token
 * of the expected answers, and exact match, F1 and ROUGE-L of what is written. It ends as `evaluateVariants` does.
 */
export const evaluateRag = Effect.fn("objectives.evaluateRag")(function* (
  generator: RagGenerator,
  { questions, prompts, written, loss, ...settings }: RagEvaluation,
  progress: (name: string, done: number, total: number) => void,
): Effect.fn.Return<RagResult, GeneratorError | InvalidEvaluation> {
  const requests = yield* attemptToMeasure(() => questions.map((question) => ragRequest(question, prompts, settings)))
  const results: AnswerResult[] = []
  const passages = new Map<string, { prior: readonly number[]; posterior: readonly number[] }>()
  for (let start = 0; start < questions.length; start += together) {
    progress("scoring answers, retrieved passages", start, questions.length)
    const some = questions.slice(start, start + together)
    const asked = yield* attemptToMeasure(() =>
      some.map(({ answer }, index) => ({ prompts: requests[start + index]!.prompts, answer: prompts.answer(answer) })),
    )
    const scores = yield* generator.score(asked)
    for (const [index, { id }] of some.entries()) {
      const { logPrior } = requests[start + index]!
      const found = marginalScore(
        logPrior,
        scores[index]!.map(({ perToken }) => perToken),
        mixtureOf(loss),
      )
      results.push({ id, likelihood: { logprob: Math.min(0, found.logprob), tokens: found.perToken.length } })
      passages.set(id, { prior: logPrior.map(Math.exp), posterior: found.posterior })
    }
  }
  const answers = new Map<string, RagAnswer>()
  const chosen = questions.slice(0, written)
  for (let start = 0; start < chosen.length; start += together) {
    progress("writing answers, retrieved passages", start, chosen.length)
    const some = chosen.slice(start, start + together)
    const found = yield* answerFromPassages(generator, requests.slice(start, start + some.length), {
      decoding: decodingOf(loss),
      maxTokens: prompts.settings.maxAnswer,
    })
    for (const [index, { id }] of some.entries()) answers.set(id, found[index]!)
  }
  return yield* attemptToMeasure(() => ({
    likelihoods: evaluateAnswers({ results }),
    ...writingOf(chosen, answers),
    answers,
    passages,
  }))
})

/**
 * {@link evaluateRag} of a model that searches again after every so many tokens: of the expected answers with what their own
 * beginnings find, and of what is written with what that finds.
 */
export const evaluateRenewed = Effect.fn("objectives.evaluateRenewed")(function* <E, R>(
  generator: RagGenerator,
  { questions, prompts, written }: RagEvaluation,
  renewal: RenewedEvaluation<E, R>,
  progress: (name: string, done: number, total: number) => void,
): Effect.fn.Return<RagResult, GeneratorError | InvalidEvaluation | E, R> {
  const results: AnswerResult[] = []
  for (let start = 0; start < questions.length; start += together) {
    progress("scoring answers, renewed passages", start, questions.length)
    const some = questions.slice(start, start + together)
    const asked = yield* attemptToMeasure(() =>
      some.map(({ query, answer }) => ({ question: query, answer: prompts.answer(answer).ids })),
    )
    const found = yield* renewedLikelihoods(generator, asked, renewal)
    for (const [index, { id }] of some.entries()) {
      const { logprob, tokens } = found[index]!
      results.push({ id, likelihood: { logprob: Math.min(0, logprob), tokens } })
    }
  }
  const answers = new Map<string, RagResult["answers"] extends ReadonlyMap<string, infer A> ? A : never>()
  const chosen = questions.slice(0, written)
  for (let start = 0; start < chosen.length; start += together) {
    progress("writing answers, renewed passages", start, chosen.length)
    const some = chosen.slice(start, start + together)
    const found = yield* renewedAnswers(
      { model: renewal.model, generator },
      some.map(({ query }) => query),
      renewal,
    )
    for (const [index, { id }] of some.entries()) {
      const { text, logprob } = found[index]!
      answers.set(id, { text, logprob, ...renewedSources(found[index]!, renewal.temperature) })
    }
  }
  return yield* attemptToMeasure(() => ({
    likelihoods: evaluateAnswers({ results }),
    ...writingOf(chosen, answers),
    answers,
    passages: new Map(),
  }))
})

/** Exact match, F1 and ROUGE-L of what was written; nothing where nothing was. */
const writingOf = (
  chosen: readonly PreparedQuestion[],
  answers: ReadonlyMap<string, { readonly text: string }>,
): { readonly writing?: AnswerReport } => {
  if (chosen.length === 0) return {}
  const predictions = chosen.map(({ id, answers: expected }) => ({
    id,
    prediction: answers.get(id)?.text.trim() ?? "",
    answers: expected,
  }))
  return { writing: evaluateAnswers({ results: predictions }) }
}
