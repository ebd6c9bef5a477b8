import { InvalidPattern } from "./EvalsError.ts"
import { cutSpaceless } from "./internal/SpacelessScripts.ts"

const tokenPattern = /[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]/gu

/**
 * The tokens that answer recall compares: NFD, then runs of letters, numbers and marks, or any other single visible
 * character; each token lower-cased (DPR's `SimpleTokenizer`). In scripts that put no spaces between words (Chinese,
 * Japanese, Thai, …) each character is a token, or an answer would have to be the whole sentence.
 */
export const answerTokens = (text: string): readonly string[] =>
  (text.normalize("NFD").match(tokenPattern) ?? []).flatMap(cutSpaceless).map((token) => token.toLowerCase())

// No token holds a space, so a contiguous run of tokens is a substring of the joined text.
const joined = (text: string): string => ` ${answerTokens(text).join(" ")} `

/** A passage prepared once for many questions; see `prepareText`. */
export interface PreparedText {
  readonly text: string
  readonly tokens: string
}

/** Tokenizes a passage's text (its title does not count) for `hasAnswer`, which accepts it in place of the string. */
export const prepareText = (text: string): PreparedText => ({ text: text.normalize("NFD"), tokens: joined(text) })

const compile = (answer: string): RegExp => {
  const source = answer.normalize("NFD")
  // Patterns written for Python escape characters that JavaScript's strict mode refuses, so try the lenient one too.
  for (const flags of ["imu", "im"]) {
    try {
      return new RegExp(source, flags)
    } catch {}
  }
  throw new InvalidPattern({
    message: `the answer pattern ${JSON.stringify(answer.slice(0, 120))} is not a regular expression`,
    field: "answers",
    expected: "a regular expression",
    found: answer.slice(0, 120),
    hint: 'use mode "string" for plain answers',
  })
}

/**
 * Whether a passage holds one of the answers (`has_answer` of Chen et al. 2017 and DPR).
 *
 * - `string`: the answer's tokens stand contiguously among the passage's tokens. An answer without tokens matches
 *   nothing here; in the original it matches every passage, which flatters a data set with empty answers.
 * - `regex`: the answer is a pattern, searched without case and with `^` and `$` at line ends. An empty pattern
 *   matches nothing. Patterns run on JavaScript's backtracking engine: take them from data that you trust.
 *
 * Give the passage's text alone: the title is not part of it.
 *
 * @throws InvalidPattern in `regex` mode, where the original silently counts a miss
 *
 * @example
 * ```ts
 * import { hasAnswer } from "@tandem/evals"
 *
 * console.log(hasAnswer("Flown by Orville Wright, 1903.", ["Wright, 1903"])) // true
 * ```
 */
export const hasAnswer = (
  passage: string | PreparedText,
  answers: readonly string[],
  mode: "string" | "regex" = "string",
): boolean => {
  const prepared = typeof passage === "string" ? prepareText(passage) : passage
  return mode === "string"
    ? answers.some((answer) => {
        const tokens = joined(answer)
        return tokens.length > 2 && prepared.tokens.includes(tokens)
      })
    : answers.some((answer) => answer !== "" && compile(answer).test(prepared.text))
}
