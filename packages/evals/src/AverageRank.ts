import { InvalidEvaluation } from "./EvalsError.ts"

/**
 * DPR's validation figure: the average 0-based rank of each question's gold passage among a fixed pool of passages,
 * by score. Lower is better; 0 is perfect, `(poolSize − 1) / 2` is chance.
 *
 * Passages with exactly the gold's score share their places: the gold gets the middle one, so that a collapsed
 * encoder (all scores equal) is at chance and not perfect.
 *
 * @param options.scores `[questions, poolSize]`, row-major
 * @param options.gold index in the pool of each question's passage, `[questions]`
 * @throws InvalidEvaluation for sizes that do not fit, a gold outside the pool, or a NaN score
 */
export const averageRank = (options: {
  readonly scores: ArrayLike<number>
  readonly poolSize: number
  readonly gold: ArrayLike<number>
}): { readonly mean: number; readonly ranks: Float64Array } => {
  const { scores, poolSize, gold } = options
  const n = gold.length
  if (n === 0 || scores.length !== n * poolSize)
    throw new InvalidEvaluation({
      message: "the scores do not fit the number of questions and the size of the pool",
      field: "scores",
      expected: n === 0 ? "at least one question" : `${n} × ${poolSize} scores`,
      found: `${scores.length} scores`,
    })
  const ranks = Float64Array.from({ length: n }, (_, question) => {
    const index = gold[question]!
    if (!Number.isInteger(index) || index < 0 || index >= poolSize)
      throw new InvalidEvaluation({
        message: `the gold passage of question ${question} is not in the pool`,
        field: "gold",
        expected: `an index below ${poolSize}`,
        found: String(index),
      })
    const own = scores[question * poolSize + index]!
    let higher = 0
    let equal = 0
    for (let i = question * poolSize; i < (question + 1) * poolSize; i++) {
      const score = scores[i]!
      if (Number.isNaN(score))
        throw new InvalidEvaluation({
          message: `the score of question ${question} and passage ${i - question * poolSize} is NaN`,
          field: "scores",
          found: "NaN",
        })
      if (score > own) higher++
      else if (score === own) equal++
    }
    return higher + (equal - 1) / 2
  })
  return { mean: ranks.reduce((sum, rank) => sum + rank, 0) / n, ranks }
}
