import type { LanguageModel, ModelError } from "@tandem/models"
import type { Graph } from "@tandem/onnx"
import type { Feed } from "@tandem/runtime"
import type { Effect, Scope } from "effect"
import type { RowTokens } from "./Layout.ts"

/** Logits `[rows, vocabulary]` and the logarithm of the sum of their exponentials `[rows]`. */
export interface NextLogits {
  readonly logits: Float32Array
  readonly normalizers: Float32Array
}

/** Prompts that were read, each being what its rows begin with. */
export interface Reading {
  /** Tokens of each prompt; 0 in an encoder-decoder, where what is written begins by itself. */
  readonly lengths: readonly number[]
  /** Logits at the last token of each prompt; none in an encoder-decoder. */
  readonly next: NextLogits | undefined
  /** Begins texts, of which each prompt has equally many neighbouring ones, with room for so many tokens each. */
  readonly write: (rows: number, capacity: number) => Effect.Effect<Writing, ModelError, Scope.Scope>
}

/** A text that is scored. */
export interface ScoredRow extends RowTokens {
  /** Which of the beginnings stands before it; 0 where there are none. */
  readonly prefix: number
  /** Of how many of its last tokens the likelihood is wanted. */
  readonly targets: number
}

/** log p of the last tokens of each row, each under what stands before it. */
export type Scorer = (rows: readonly ScoredRow[]) => Effect.Effect<readonly (readonly number[])[], ModelError>

/** Texts that are being written. */
export interface Writing {
  /**
   * Writes at most one token into each row, all into one column, counted from 0 step by step. Logits are those behind the
   * rows that bring one, in their order.
   */
  readonly step: (rows: readonly RowTokens[], column: number) => Effect.Effect<NextLogits, ModelError>
  /** Row i becomes what row `parents[i]` was. */
  readonly reorder: (parents: readonly number[]) => Effect.Effect<void, ModelError>
}

/** A language model on a device, with its weights. */
export interface Engine {
  readonly vocabularySize: number
  /** Whether prompts of different lengths may be read side by side. */
  readonly uneven: boolean
  /** Whether what prompts have in common is worth reading once. */
  readonly sharesPrefixes: boolean
  readonly read: (prompts: readonly (readonly number[])[]) => Effect.Effect<Reading, ModelError, Scope.Scope>
  /** Whether the rows of a run may stand behind any of the beginnings; else each has equally many neighbouring ones. */
  readonly mixesRows: boolean
  /** Reads what rows begin with (in an encoder-decoder, the prompts), for scoring them; nothing where there are none. */
  readonly scorer: (beginnings: readonly (readonly number[])[]) => Effect.Effect<Scorer, ModelError, Scope.Scope>
}

export interface EngineOptions {
  readonly model: LanguageModel
  /** By parameter name; the model's own where absent. */
  readonly weights?: Readonly<Record<string, Feed>>
  /** Changes the graph before it is compiled, as adapters do; the weights hold what its inputs need then. */
  readonly adapt?: (graph: Graph) => Graph
}
