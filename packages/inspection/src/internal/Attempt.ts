import { Effect } from "effect"
import { type InspectionError, isInspectionError } from "../Errors.ts"

/** The effect with tagged errors that are thrown inside it as failures. */
export const thrownAsFailures = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | InspectionError, R> =>
  Effect.catchDefect(effect, (defect) => (isInspectionError(defect) ? Effect.fail(defect) : Effect.die(defect)))

/** Runs a pure function, its tagged errors being failures and anything else a defect. */
export const attemptGradient = <A>(body: () => A): Effect.Effect<A, InspectionError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (error) {
      return isInspectionError(error) ? Effect.fail(error) : Effect.die(error)
    }
  })
