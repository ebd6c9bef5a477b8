import { requireAnswers } from "./internal/RequireAnswers.ts"
import { cutSpaceless, isSpaceless } from "./internal/SpacelessScripts.ts"

const punctuation = /[!-/:-@[-`{-~]/g
const anyPunctuation = /[\p{P}!-/:-@[-`{-~]/gu
// JavaScript's \b knows ASCII alone; "à" must not end an article.
const articles = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu

/**
 * SQuAD's normalisation: lower case, no ASCII punctuation, no articles (a, an, the), single spaces, trimmed.
 *
 * A text with characters of a script that puts no spaces between words, of which SQuAD has none, is taken as MLQA (Lewis et
 * al. 2020) takes Chinese: all punctuation goes, and each such character is a word of its own, so that a part of an answer
 * counts as a part.
 */
export const normalizeAnswer = (text: string): string =>
  text
    .toLowerCase()
    .replace(isSpaceless(text) ? anyPunctuation : punctuation, "")
    .replace(articles, " ")
    .split(/\s+/)
    .flatMap(cutSpaceless)
    .filter((word) => word !== "")
    .join(" ")

/** The answers after normalisation: those of which something is left, as in SQuAD 2.0's script; else the empty one. */
const normalizedAnswers = (answers: readonly string[]): readonly string[] => {
  requireAnswers(answers)
  const left = answers.map(normalizeAnswer).filter((answer) => answer !== "")
  return left.length === 0 ? [""] : left
}

/**
 * 1 where the prediction equals one of the answers after `normalizeAnswer`, else 0.
 *
 * @throws InvalidEvaluation for no answer
 */
export const exactMatch = (prediction: string, answers: readonly string[]): number =>
  normalizedAnswers(answers).includes(normalizeAnswer(prediction)) ? 1 : 0

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

const wordsOf = (normalized: string): readonly string[] => (normalized === "" ? [] : normalized.split(" "))

/**
 * Token F1 after `normalizeAnswer`, tokens counted with multiplicity, maximum over the answers, in 0 to 1. Where one
 * side has no token left, 1 if both have none, else 0 (as SQuAD 2.0's script has it).
 *
 * @throws InvalidEvaluation for no answer
 */
export const tokenF1 = (prediction: string, answers: readonly string[]): number => {
  const predicted = wordsOf(normalizeAnswer(prediction))
  return Math.max(...normalizedAnswers(answers).map((answer) => overlapF1(predicted, wordsOf(answer))))
}
