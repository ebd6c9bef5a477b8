import type { DataWarning } from "./DataWarning.ts"
import type { Passage } from "./Passage.ts"

/**
 * A question with what is known about it.
 *
 * `positives` and `negatives` are passage ids; {@link RetrievalData} holds the passages. `response` is the text that a
 * generator is trained towards, where it differs from `answers[0]`. `weight` scales the example's loss (default 1).
 * `group` names the document that the question is about (SQuAD: the article). `relevance` holds graded judgements by
 * passage id, where there are any (BEIR); without it every positive has grade 1.
 */
export interface Example {
  readonly id: string
  readonly query: string
  readonly positives: readonly string[]
  readonly negatives: readonly string[]
  readonly answers: readonly string[]
  readonly response?: string
  readonly weight?: number
  readonly group?: string
  readonly relevance?: Readonly<Record<string, number>>
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** What was counted while examples were read. */
export interface DataStatistics {
  /** Rows (questions) read, whether kept or not. */
  readonly rows: number
  /** Rows kept as examples. */
  readonly examples: number
  /** Rows dropped because they name no positive passage; in an evaluation, because they have no answer either. */
  readonly droppedWithoutPositive: number
  /** Passages of the corpus, inline passages of the examples included. */
  readonly passages: number
  /** Examples none of whose answers stands word for word in one of their positives. */
  readonly answersNotInPositives: number
  /** Examples that bring negatives of their own. */
  readonly withNegatives: number
}

/**
 * Examples together with the passages that they speak of. Every id among an example's positives and negatives stands in
 * `corpus`; `relevance` may also judge passages that the corpus lacks.
 */
export interface RetrievalData {
  readonly examples: readonly Example[]
  readonly corpus: ReadonlyMap<string, Passage>
  readonly statistics: DataStatistics
  /** What was left out, or taken otherwise than it stands. */
  readonly warnings: readonly DataWarning[]
}
