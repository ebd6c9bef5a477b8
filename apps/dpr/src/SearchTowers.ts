import type { Similarity } from "@tandem/onnx"
import type { Titles, Tower } from "@tandem/retriever"

/** The towers that encode for search. */
export interface SearchTowers {
  readonly query: Tower
  readonly passage: Tower
}

/** What decides how texts become comparable vectors, with every default filled in. */
export interface RetrievalSettings {
  readonly similarity: Similarity
  readonly temperature: number
  readonly maxLength: number
  readonly titles: Titles | undefined
}
