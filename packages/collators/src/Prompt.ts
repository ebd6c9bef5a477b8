/** A prompt and its answer as one text, cut to the model's length. */
export interface Prompt {
  readonly ids: ArrayLike<number>
  /** The tokens from this one on, counted from 0, are labels; none where the text ends before. At least 1. */
  readonly from: number
  /** Which of these are labels, as many flags as `ids`; all where absent. A conversation learns some of its turns. */
  readonly labels?: ArrayLike<boolean>
  /** What each of its labels counts for; 1 where absent. */
  readonly weight?: number
}
