import type { Partner } from "@tandem/models/exported/MatchParameters"

/** How the gradient by one parameter compares. */
export interface ParameterCheck {
  /** Name in the reference; that of the initializer where there is no reference. */
  readonly name: string
  /** The initializer that holds it; the first one where the file holds copies. */
  readonly partner: string
  readonly transposed: boolean
  /**
   * All initializers that hold it, where they are several (the gradients of tied copies add up), or where a factor or a
   * summand was folded into one.
   */
  readonly partners?: readonly Partner[]
  readonly relativeError: number
  /** Whether the error is within the tolerance. */
  readonly ok: boolean
  /**
   * Without a reference: the relative error of the differences that rounding alone makes likely. Where four times that
   * is more than the tolerance, the check says little about this parameter, and errors up to there are let pass.
   */
  readonly resolution?: number
}

/** What a check found. */
export interface GradCheckReport {
  /** Whether loss and gradients agree within the tolerance and every parameter found its partner. */
  readonly ok: boolean
  readonly loss: number
  readonly lossReference: number | null
  /** Whether the two agree to 1e-5 of the mean |out · R|; true where there is no reference. */
  readonly lossAgrees: boolean
  readonly parameters: readonly ParameterCheck[]
  /** Parameters of the reference that no initializer holds. */
  readonly unmatched: readonly string[]
  /** Parameters that values do not tell apart. */
  readonly ambiguous: readonly string[]
  readonly rtol: number
  /** ‖Δout‖ / ‖out‖ of the first output, where the reference has it. */
  readonly outputError: number | null
  /** Parameters of the reference that have no gradient there, so that nothing was compared. */
  readonly withoutGradient: readonly string[]
  /** Stored tensors on the way to the output that would train and are no parameter of the reference. */
  readonly constants: readonly string[]
  /** Stored floats that count as settings of positions or masks, so that they do not train. */
  readonly settings: readonly string[]
}
