import type { Recompute } from "@tandem/autodiff"
import type { Graph, Tensor } from "@tandem/onnx"

/** A dropout site: the program's `bool` input that takes its mask (true keeps), and the share to drop. */
export interface MaskInput {
  readonly input: string
  readonly rate: number
}

/**
 * What is computed for batches of one set of shapes: models and a loss in one forward graph of static shapes.
 * Its inputs are the batch's tensors, the parameters by name and the dropout masks.
 */
export interface Program {
  readonly graph: Graph
  /** Name of the scalar output to minimise. Further scalar outputs are reported with each step. */
  readonly loss: string
  readonly dropout: readonly MaskInput[]
  /** Keeps less of the forward pass and computes it again: less memory, more time, the same numbers. */
  readonly recompute?: Recompute
  /** The graph with its gradients where it has been differentiated already: what `withGradients` adds. */
  readonly gradients?: Graph
}

/** What one forward and backward pass reads. */
export interface Batch {
  /** Batches with equal keys have equal shapes and share a program. */
  readonly key: string
  readonly tensors: Readonly<Record<string, Tensor>>
  /** Number of examples, for rates. */
  readonly examples: number
  /** What the loss counts for where a draft has several passes; 1 where absent. */
  readonly weight?: number
  /**
   * What a scalar output of the program counts for in the step's average, by its name, such as the tokens that it is a mean
   * of; `examples` where absent.
   */
  readonly counts?: Readonly<Record<string, number>>
  /** Numbers to report with the step, such as the share of padding. */
  readonly statistics?: Readonly<Record<string, number>>
}

/**
 * Dropout rates are multiples of 1/256 from 0 to 255/256, because masks are drawn from bytes; the scale of what is kept
 * uses this.
 */
export const dropoutRate = (rate: number): number => Math.min(255, Math.round(rate * 256)) / 256
