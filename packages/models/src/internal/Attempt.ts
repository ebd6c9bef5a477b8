import { Disconnected, MissingGradient, NotDifferentiable } from "@tandem/autodiff"
import { Effect } from "effect"
import { isModelError, type ModelError } from "../Errors.ts"

/** What differentiating a model can end in. */
export type GradientError = MissingGradient | Disconnected | NotDifferentiable

/** Whether a thrown value says that a graph cannot be differentiated. */
export const isGradientError = (error: unknown): error is GradientError =>
  error instanceof MissingGradient || error instanceof Disconnected || error instanceof NotDifferentiable

const isKnown = (error: unknown): error is ModelError | GradientError => isModelError(error) || isGradientError(error)

/** The effect with tagged errors that are thrown inside it as failures. */
export const thrownAsFailures = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | ModelError | GradientError, R> =>
  Effect.catchDefect(effect, (defect) => (isKnown(defect) ? Effect.fail(defect) : Effect.die(defect)))

/** Runs a pure function, its tagged errors being failures and anything else a defect. */
export const attemptGradient = <A>(body: () => A): Effect.Effect<A, ModelError | GradientError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (error) {
      return isKnown(error) ? Effect.fail(error) : Effect.die(error)
    }
  })
