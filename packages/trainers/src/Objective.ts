import type { Tensor } from "@tandem/onnx"
import type { Buffer } from "@tandem/runtime"
import { Effect } from "effect"
import type { StateContents } from "./Checkpoint.ts"
import type { Batch, Program } from "./Program.ts"

/** A run at one moment. */
export interface Live {
  /** Optimizer steps done. */
  readonly step: number
  /** All parameters by joint name, in the same resident buffers at every step: what reads them sees the weights of the moment. */
  readonly weights: Readonly<Record<string, Buffer>>
}

/** Passes of one draft; at least one. */
export type Passes<B extends Batch> = readonly [B, ...B[]]

/**
 * What is trained, and by what: everything that differs between trainers. The rest of a run (steps, accumulation,
 * optimizer, evaluation, checkpoints, resuming) is the same for all.
 *
 * A batch comes in two halves. `draft` is a function of its index alone and is made ahead, while the step before it
 * runs. `complete` is called after that step's update, with the weights of the moment: what is retrieved with trained
 * weights is retrieved there, or a step would train on what weights of one step before had found, and a resumed run
 * would not be the same.
 *
 * `D` is what a draft holds; `E` and `R` are what the objective can fail with and needs.
 */
export interface Objective<D, B extends Batch, E, R> {
  readonly name: string
  /** All parameters of the programs by joint name, `part/name`. */
  readonly parameters: ReadonlyMap<string, Tensor>
  /** Names of those that are trained. */
  readonly trainable: readonly string[]
  readonly draftsPerEpoch: number
  /** The `index`-th draft of the run, from 0. */
  readonly draft: (index: number) => Effect.Effect<D, E, R>
  /**
   * The draft as what a step computes: as a rule one batch; several where one would not fit into memory, whose
   * gradients are summed, each times its batch's `weight`. A run may call it once before its first step, to see whether
   * the program can be trained; what it remembers beyond a call belongs into `states`.
   */
  readonly complete: (draft: D, live: Live) => Effect.Effect<Passes<B>, E, R>
  /**
   * Parts whose weights `complete` and hooks read; all where absent. Weights of other parts may lack what adapters add to
   * them, which nobody has to merge at every step then.
   */
  readonly reads?: readonly string[]
  /** The program for batches of that shape; asked once for each key while it stays in the cache. */
  readonly program: (batch: B) => Effect.Effect<Program, E, R>
  readonly evaluation?: Evaluation<E, R>
  readonly hooks?: readonly Hook<E, R>[]
  readonly states?: readonly StatePart<E, R>[]
}

/** How a run is measured on the way. */
export interface Evaluation<E, R> {
  /** Name of the metric that decides which checkpoint is the best. */
  readonly metric: string
  /** Which of two values of it is better; the larger one where absent. */
  readonly better?: "larger" | "smaller"
  readonly run: (live: Live) => Effect.Effect<Readonly<Record<string, number>>, E, R>
}

/** Work that is due every so many steps, after the update and before an evaluation: an index that is made anew. */
export interface Hook<E, R> {
  readonly name: string
  readonly everySteps: number
  readonly run: (live: Live) => Effect.Effect<void, E, R>
}

/** What an objective remembers from step to step, as a named part of every checkpoint. */
export interface StatePart<E, R> {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string
  readonly save: Effect.Effect<StateContents, E, R>
  /** Called before the first step of a run that goes on. */
  readonly restore: (contents: StateContents) => Effect.Effect<void, E, R>
}

/**
 * `complete` where a draft is the batch already, or its passes, and nothing is retrieved. An objective that names it reads
 * no weights between steps, so that nobody has to prepare any for it.
 */
export const asDrafted = <B extends Batch>(draft: B | Passes<B>): Effect.Effect<Passes<B>> =>
  Effect.succeed(isPasses(draft) ? draft : [draft])

const isPasses = <B extends Batch>(draft: B | Passes<B>): draft is Passes<B> => Array.isArray(draft)
