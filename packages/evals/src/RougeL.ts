import { requireAnswers } from "./internal/RequireAnswers.ts"
import { cutSpaceless } from "./internal/SpacelessScripts.ts"

// Google's tokens are runs of a-z and 0-9. It drops everything else, so the letters of other scripts come besides.
const tokenPattern = /[a-z0-9]+|(?:(?![\p{sc=Latin}\p{sc=Common}])[\p{L}\p{Nd}]\p{M}*|[ー０-９])+/gu

const tokensOf = (text: string): readonly string[] =>
  (text.toLowerCase().match(tokenPattern) ?? []).flatMap(cutSpaceless)

/** How many tokens the longest sequence has that stands in both, in order but not necessarily side by side. */
const longestCommonSubsequence = (a: readonly string[], b: readonly string[]): number => {
  const row = new Uint32Array(b.length + 1)
  for (const token of a) {
    let diagonal = 0
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]!
      row[j] = token === b[j - 1] ? diagonal + 1 : Math.max(above, row[j - 1]!)
      diagonal = above
    }
  }
  return row[b.length]!
}

/**
 * ROUGE-L of a free text (Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004) as Google's `rouge_score`
 * computes it without its stemmer, which is left out here: with P and R the longest common subsequence's share of the
 * prediction's and of the answer's tokens, F = 2 P R / (P + R); the largest over the answers, in 0 to 1. Where one side has
 * no token, 0.
 *
 * Tokens are runs of the letters a to z and digits after lower-casing, as in the original ("café" is `caf`). It drops the
 * letters of other scripts, which scores every answer in them 0; here they are tokens, and in scripts that put no spaces
 * between words each character is one. Figures differ from the original's only for texts with such letters.
 *
 * @throws InvalidEvaluation for no answer
 *
 * @example
 * ```ts
 * import { rougeL } from "@tandem/evals"
 *
 * console.log(rougeL("the cat on the mat", ["the cat sat on the mat"])) // 0.9090909090909091
 * ```
 */
export const rougeL = (prediction: string, answers: readonly string[]): number => {
  requireAnswers(answers)
  const predicted = tokensOf(prediction)
  return Math.max(
    ...answers.map((answer) => {
      const expected = tokensOf(answer)
      const common = longestCommonSubsequence(predicted, expected)
      return common === 0 ? 0 : (2 * common) / (predicted.length + expected.length)
    }),
  )
}
