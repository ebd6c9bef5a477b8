import type { Encoder, LanguageModel } from "@tandem/models"
import { encodeInput } from "@tandem/retriever"
import { encodingOf, type RetrievalSettings } from "../retrieval/RetrievalSettings.ts"

/**
 * What is searched for after so much of an answer: the question, and behind it the answer so far as the generator's tokenizer
 * writes it. Where that is too long for the encoder, the answer's beginning is left out: the question is never cut for it,
 * and what was said last decides.
 */
export const renewedQuery = ({
  query,
  generator,
  retrieval,
}: {
  readonly query: Encoder
  readonly generator: LanguageModel
  readonly retrieval: RetrievalSettings
}): ((question: string, answer: readonly number[]) => string) => {
  const fits = (text: string): boolean => encodeInput(query, text, "query", encodingOf(retrieval, "query")).cut === 0
  return (question, answer) => {
    const textFrom = (start: number): string => {
      const said = generator.tokenizer.decode(answer.slice(start)).trim()
      return said === "" ? question : `${question} ${said}`
    }
    let start = 0
    while (start < answer.length && !fits(textFrom(start))) start++
    return textFrom(start)
  }
}

/** How many tokens of an answer precede each of its retrievals, one every so many tokens. */
export const renewals = (tokens: number, every: number): readonly number[] =>
  Array.from({ length: Math.max(1, Math.ceil(tokens / every)) }, (_, segment) => segment * every)
