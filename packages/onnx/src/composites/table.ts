import type { Decomposition } from "./Composite.ts"
import { rotaryEmbedding, rotaryEmbeddingContrib } from "./RotaryEmbedding.ts"

/** Every operator that is written in plain operators before anything else looks at it. */
export const decompositions: Readonly<Record<string, Decomposition>> = {
  RotaryEmbedding: rotaryEmbedding,
  "com.microsoft.RotaryEmbedding": rotaryEmbeddingContrib,
}
