import type { PassageQuestion } from "./PassageQuestions.ts"

/** A question for both models: its own tokens, and beside each prompt its passage's stored vector of unit length. */
export interface JointRow extends PassageQuestion {
  readonly query: readonly number[]
  readonly vectors: readonly (readonly number[])[]
}
