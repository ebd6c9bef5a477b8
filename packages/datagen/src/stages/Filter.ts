import type { Chunk } from "@tandem/documents"
import { fnv1aOfCodePoints } from "@tandem/random"
import { Effect, type Result } from "effect"
import { askFor } from "../model/AskFor.ts"
import type { Asking, Exchange, ModelRequest } from "../model/Model.ts"
import type { DatagenPrompts } from "../prompt/Prompts.ts"
import { readVerdict, type Verdict, verdictFormat } from "./ReadVerdict.ts"

/** What came of a chunk: its verdict, or why there is none, with all that was said. */
export interface Filtered {
  readonly chunk: Chunk
  readonly verdict: Result.Result<Verdict, string>
  readonly exchanges: readonly Exchange[]
}

export interface FilterOptions {
  readonly prompts: Pick<DatagenPrompts, "rag_filter" | "rag_correction">
  readonly seed: number
  /** Most times that the model is told what was wrong. */
  readonly corrections: number
}

/** What the model is asked about a chunk, at first. */
export const filterRequest = (
  { id, text, source, heading = "" }: Chunk,
  { prompts, seed }: FilterOptions,
): ModelRequest => ({
  messages: prompts.rag_filter.render({ text, source, heading }),
  format: verdictFormat,
  seed: seedOf(seed, id),
})

/** Asks a model whether a chunk is fit for questions. A reply without a verdict, after all corrections, is none. */
export const filterChunk = <E>(model: Asking<E>, chunk: Chunk, options: FilterOptions): Effect.Effect<Filtered, E> =>
  askFor(model, {
    ...filterRequest(chunk, options),
    format: verdictFormat,
    read: readVerdict,
    ...correcting(options),
  }).pipe(Effect.map(({ answer, exchanges }) => ({ chunk, verdict: answer, exchanges })))

/** How a model is told what was wrong. */
export const correcting = ({
  prompts,
  corrections,
}: Pick<FilterOptions, "corrections"> & { readonly prompts: Pick<DatagenPrompts, "rag_correction"> }) => ({
  corrections,
  correction: (problem: string): string =>
    prompts.rag_correction
      .render({ problem })
      .map(({ content }) => content)
      .join("\n\n"),
})

/** A seed for what is said about one chunk, 0 to 2^30 - 1. */
export const seedOf = (seed: number, key: string): number => fnv1aOfCodePoints(`${seed}:${key}`) & 0x3fffffff
