import type { Chunk } from "@tandem/documents"
import { PythonRandom } from "@tandem/random"
import { Effect } from "effect"
import { TooFewChunks } from "../Errors.ts"
import type { Item } from "../Item.ts"

/** What the reference draws by. */
export interface ReferenceOptions {
  readonly seed: number
  readonly failureShare: number
  readonly maxChunks: number
}

/**
 * Simulated retrieval with the draws of the pipeline that this one repeats, which are CPython's: for each chunk whether
 * retrieval fails, how many chunks are shown, which, and in the successful case their order. It excludes nothing, so that a
 * failed context may give the answer away: for comparisons, not for training. Fewer chunks than may be shown end in
 * `TooFewChunks`.
 */
export const simulateAsReference = (
  chunks: readonly Chunk[],
  { seed, failureShare, maxChunks }: ReferenceOptions,
): Effect.Effect<readonly Item[], TooFewChunks> => {
  if (chunks.length <= maxChunks) {
    return Effect.fail(
      new TooFewChunks({
        message: "the reference draws from no fewer chunks than it may show, and the true one",
        expected: `${maxChunks + 1}`,
        found: `${chunks.length}`,
      }),
    )
  }
  const random = new PythonRandom(seed)
  return Effect.succeed(
    chunks.map((chunk): Item => {
      const failed = random.choice([true, false], [failureShare, 1 - failureShare])
      const count = random.randint(1, maxChunks)
      const others = chunks.filter((other) => other !== chunk)
      const shown = failed ? random.sample(others, count) : random.shuffle([chunk, ...random.sample(others, count - 1)])
      return { key: chunk.id, chunk, shown, failed }
    }),
  )
}
