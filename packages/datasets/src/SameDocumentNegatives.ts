import { Random } from "@tandem/random"
import type { RetrievalData } from "./Example.ts"
import { containsWords, wordsOf } from "./internal/Words.ts"
import { documentOf, type Passage } from "./Passage.ts"

export interface SameDocumentOptions {
  readonly seed: number | string
  /** Negatives for each example (default 1); fewer where the document has fewer. */
  readonly perExample?: number
  /** Whether passages that hold one of the answers are left out (default true): they may well be right. */
  readonly vetoAnswers?: boolean
}

/**
 * The data with negatives drawn from the documents of the positives: for SQuAD, other paragraphs of the article. They
 * take the place of negatives that the examples brought. The same seed draws the same passages.
 */
export const sameDocumentNegatives = (
  data: RetrievalData,
  { seed, perExample = 1, vetoAnswers = true }: SameDocumentOptions,
): RetrievalData => {
  const random = Random.fromSeed(seed)
  const documents = new Map<string, Passage[]>()
  for (const passage of data.corpus.values()) {
    const document = documentOf(passage)
    if (document === undefined) continue
    const passages = documents.get(document)
    if (passages === undefined) documents.set(document, [passage])
    else passages.push(passage)
  }
  const words = new Map<string, string>()
  const holds = ({ id, text }: Passage, answer: string): boolean => {
    const known = words.get(id) ?? wordsOf(text)
    words.set(id, known)
    return containsWords(known, answer)
  }
  const examples = data.examples.map((example) => {
    const positives = new Set(example.positives)
    const answers = vetoAnswers ? example.answers.map(wordsOf) : []
    const names = new Set(
      example.positives.flatMap((id) => {
        const passage = data.corpus.get(id)
        return (passage === undefined ? undefined : documentOf(passage)) ?? []
      }),
    )
    const candidates = [...names].flatMap((name) => documents.get(name) ?? [])
    const negatives: string[] = []
    for (const passage of random.derive(example.id).shuffle(candidates)) {
      if (negatives.length >= perExample) break
      if (!positives.has(passage.id) && !answers.some((answer) => holds(passage, answer))) negatives.push(passage.id)
    }
    return { ...example, negatives }
  })
  const withNegatives = examples.filter(({ negatives }) => negatives.length > 0).length
  return { ...data, examples, statistics: { ...data.statistics, withNegatives } }
}
