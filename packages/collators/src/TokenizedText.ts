/** Token ids of one text, with special tokens and already cut to the model's length; a tokenizer's `encode` gives it. */
export interface TokenizedText {
  readonly ids: ArrayLike<number>
  /** Segment of each token; all 0 where absent. */
  readonly types?: ArrayLike<number>
}
