import type { TokenizedText } from "./TokenizedText.ts"

/** A passage as a batch holds it. */
export interface BatchPassage {
  readonly id: string
  readonly text: TokenizedText
  /** The text's words, normalised as the answers are and with one space between; needed for masks by answer alone. */
  readonly words?: string
}

/** A query with its positive and its hard negatives. */
export interface DualEncoderItem {
  readonly query: TokenizedText
  readonly positive: BatchPassage
  /** Hard negatives in the order of preference; what is more than `hardNegatives` is left out. */
  readonly negatives: readonly BatchPassage[]
  /** Ids of every passage that answers the query; its positive may be left out. */
  readonly relevant: ReadonlySet<string>
  /**
   * The query's answers, normalised as the passages' `words` are. Where given, any other passage of the batch in whose
   * words an answer stands as whole words is taken for a positive too. Empty answers stand nowhere.
   */
  readonly answers?: readonly string[]
  /** How much the query counts in the loss, 0 or more; 1 where absent. Read where `CollateOptions.weights` asks for it. */
  readonly weight?: number
}
