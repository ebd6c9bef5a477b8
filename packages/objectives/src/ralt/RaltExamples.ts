import { Random } from "@tandem/random"
import { foundPassages, goldPassage, type PreparedPassage, type PreparedQuestion } from "./PreparedQuestion.ts"

/** How a question's passages become examples. */
export interface RaltDraw {
  readonly seed: number
  /** Examples of a question: with its k best passages. */
  readonly k: number
  /** What the examples of a question count for: all alike, or each as its passage is likely, softmax of scores / `temperature`. */
  readonly weights: { readonly kind: "none" } | { readonly kind: "retriever"; readonly temperature: number }
  /** Share of examples without context. */
  readonly closedBookShare: number
  /** Passages in a context, and the share of examples that have so many: others have one. */
  readonly passagesPerPrompt: number
  readonly distractorShare: number
}

/** One example of a question. */
export interface RaltExample {
  readonly contexts: readonly PreparedPassage[]
  readonly weight: number
}

/**
 * The `k` examples of a question in one epoch: each of its best passages by itself, and, as shares say, without any, or the
 * passage that answers it (the best one where none is known) among others that were found for it, in an order that is drawn.
 * Draws depend on seed, epoch and question alone. A question for which less was found has examples of weight 0 in the place
 * of the missing ones; one for which nothing was found has one without context.
 */
export const raltExamples = (question: PreparedQuestion, epoch: number, draw: RaltDraw): readonly RaltExample[] => {
  const { k, closedBookShare, passagesPerPrompt, distractorShare } = draw
  // No more than were looked for while training, however many were prepared.
  const found = foundPassages(question).slice(0, Math.max(k, passagesPerPrompt))
  const best = found.slice(0, k)
  const weights = best.length === 0 ? [1] : weightsOf(best, draw)
  const random = Random.fromSeed(draw.seed).derive("ralt", epoch, question.id)
  const main = goldPassage(question) ?? found[0]
  const others = found.filter(({ id, gold }) => id !== main?.id && gold !== true)
  return Array.from({ length: k }, (_, index): RaltExample => {
    const weight = weights[index] ?? 0
    const own = best[index] ?? best[0]
    const drawn = random.derive(index)
    if (own === undefined || drawn.chance(closedBookShare)) return { contexts: [], weight }
    if (main === undefined || passagesPerPrompt === 1 || !drawn.chance(distractorShare))
      return { contexts: [own], weight }
    return { contexts: drawn.shuffle([main, ...drawn.sample(others, passagesPerPrompt - 1)]), weight }
  })
}

const weightsOf = (passages: readonly PreparedPassage[], { weights }: RaltDraw): readonly number[] => {
  if (weights.kind === "none") return passages.map(() => 1)
  const scores = passages.map(({ score = 0 }) => score / weights.temperature)
  const largest = Math.max(...scores)
  const powers = scores.map((score) => Math.exp(score - largest))
  const sum = powers.reduce((all, power) => all + power, 0)
  return powers.map((power) => power / sum)
}
