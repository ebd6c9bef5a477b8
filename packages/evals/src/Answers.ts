import { InvalidEvaluation } from "./EvalsError.ts"

const punctuation = /[!-/:-@[-`{-~]/g
// JavaScript's \b knows ASCII alone; "à" must not end an article.
const articles = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu

/** SQuAD's normalisation: lower case, no ASCII punctuation, no articles (a, an, the), single spaces, trimmed. */
export const normalizeAnswer = (text: string): string =>
  text.toLowerCase().replace(punctuation, "").replace(articles, " ").replace(/\s+/g, " ").trim()

const requireAnswers = (answers: readonly string[]): void => {
  if (answers.length === 0)
    throw new InvalidEvaluation({
      message: "a prediction cannot be scored without a reference answer",
      field: "answers",
      expected: "at least one answer",
      found: "none",
    })
}

/** 1 where the prediction equals one of the answers after `normalizeAnswer`, else 0. */
export const exactMatch = (prediction: string, answers: readonly string[]): number => {
  requireAnswers(answers)
  const normalized = normalizeAnswer(prediction)
  return answers.some((answer) => normalizeAnswer(answer) === normalized) ? 1 : 0
}

const tokensOf = (text: string): readonly string[] => {
  const normalized = normalizeAnswer(text)
  return normalized === "" ? [] : normalized.split(" ")
}

const overlapF1 = (prediction: readonly string[], answer: readonly string[]): number => {
  if (prediction.length === 0 || answer.length === 0) return prediction.length === answer.length ? 1 : 0
  const left = new Map<string, number>()
  for (const token of answer) left.set(token, (left.get(token) ?? 0) + 1)
  let same = 0
  for (const token of prediction) {
    const count = left.get(token) ?? 0
    if (count > 0) same++
    left.set(token, count - 1)
  }
  return (2 * same) / (prediction.length + answer.length)
}

/**
 * Token F1 after `normalizeAnswer`, tokens counted with multiplicity, maximum over the answers, in 0 to 1. Where one
 * side has no token left, 1 if both have none, else 0 (as SQuAD 2.0's script has it).
 */
export const tokenF1 = (prediction: string, answers: readonly string[]): number => {
  requireAnswers(answers)
  const predicted = tokensOf(prediction)
  return Math.max(...answers.map((answer) => overlapF1(predicted, tokensOf(answer))))
}

export interface AnswerEvaluation {
  readonly n: number
  readonly exactMatch: number
  readonly f1: number
  readonly perQuestion: { readonly exactMatch: Float64Array; readonly f1: Float64Array }
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * Exact match and F1 over questions: means in 0 to 1, and the vectors that a paired bootstrap needs.
 *
 * @throws InvalidEvaluation for no question at all, or a question without an answer
 */
export const evaluateAnswers = (
  questions: readonly { readonly prediction: string; readonly answers: readonly string[] }[],
): AnswerEvaluation => {
  if (questions.length === 0)
    throw new InvalidEvaluation({ message: "there is no question to evaluate", field: "questions", found: "none" })
  const exact = Float64Array.from(questions, (question) => exactMatch(question.prediction, question.answers))
  const f1 = Float64Array.from(questions, (question) => tokenF1(question.prediction, question.answers))
  return { n: questions.length, exactMatch: mean(exact), f1: mean(f1), perQuestion: { exactMatch: exact, f1 } }
}
