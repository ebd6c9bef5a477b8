import type { Similarity } from "@tandem/onnx"
import type { Side, Titles, Tower } from "@tandem/retriever"

/** The towers that encode for search. */
export interface SearchTowers {
  readonly query: Tower
  readonly passage: Tower
}

/** What decides how texts become comparable vectors, with every default filled in. */
export interface RetrievalSettings {
  readonly similarity: Similarity
  readonly temperature: number
  /** Longest question and longest passage in tokens. */
  readonly maxLength: Readonly<Record<Side, number>>
  readonly titles: Titles | undefined
}

/** What one side's text encoder is told. */
export const encodingOf = ({ similarity, maxLength, titles }: RetrievalSettings, side: Side) => ({
  similarity,
  maxLength: maxLength[side],
  titles,
})

/** The longest text of either side. */
export const longest = ({ maxLength }: RetrievalSettings): number => Math.max(maxLength.query, maxLength.passage)
