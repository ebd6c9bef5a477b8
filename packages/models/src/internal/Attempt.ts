import { Disconnected, MissingGradient, NotDifferentiable } from "@tandem/autodiff"
import { Effect } from "effect"
import { isModelError, type ModelError } from "../Errors.ts"

/** What differentiating a model can end in. */
export type GradientError = MissingGradient | Disconnected | NotDifferentiable

/** Whether a thrown value says that a graph cannot be differentiated. */
export const isGradientError = (error: unknown): error is GradientError =>
  error instanceof MissingGradient || error instanceof Disconnected || error instanceof NotDifferentiable

/** Runs a pure function, its tagged errors being failures and anything else a defect. */
export const attemptGradient = <A>(body: () => A): Effect.Effect<A, ModelError | GradientError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (error) {
      return isModelError(error) || isGradientError(error) ? Effect.fail(error) : Effect.die(error)
    }
  })
