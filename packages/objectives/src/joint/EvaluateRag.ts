import { type AnswerReport, type AnswerResult, evaluateAnswers, type InvalidEvaluation } from "@tandem/evals"
import {
  answerFromPassages,
  type GeneratorError,
  logPriorOf,
  type Mixture,
  marginalScore,
  type Prompts,
  type RagAnswer,
  type RagDecoding,
  type RagGenerator,
  type RagRequest,
} from "@tandem/generator"
import { Effect } from "effect"
import { attemptToMeasure } from "../answers/EvaluateAnswers.ts"
import { foundPassages, type PreparedQuestion } from "../ralt/PreparedQuestion.ts"
import type { JointLoss } from "./JointProgram.ts"

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

/** What measuring comes to. */
export interface RagResult {
  /** Of the likelihoods of the expected answers, the passages summed out. */
  readonly likelihoods: AnswerReport
  /** Of what was written; absent where nothing was. */
  readonly writing?: AnswerReport
  /** What was written, by question id. */
  readonly answers: ReadonlyMap<string, RagAnswer>
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
  const passages = foundPassages(question).slice(0, k)
  if (passages.length === 0) return { prompts: [prompts.prompt(question.query, [])], logPrior: [0] }
  return {
    prompts: passages.map((passage) => prompts.prompt(question.query, [passage])),
    logPrior: logPriorOf(
      passages.map(({ score = 0 }) => score),
      temperature,
    ),
  }
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
  const predictions = chosen.map(({ id, answers: expected }) => ({
    id,
    prediction: answers.get(id)?.text.trim() ?? "",
    answers: expected,
  }))
  return yield* attemptToMeasure(() => ({
    likelihoods: evaluateAnswers({ results }),
    ...(chosen.length === 0 ? {} : { writing: evaluateAnswers({ results: predictions }) }),
    answers,
    passages,
  }))
})
