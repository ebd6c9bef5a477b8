import { Effect } from "effect"
import { isModelError, type ModelError } from "../Errors.ts"

/** Runs a pure function, its tagged errors being failures and anything else a defect. */
export const attempt = <A>(body: () => A): Effect.Effect<A, ModelError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (error) {
      return isModelError(error) ? Effect.fail(error) : Effect.die(error)
    }
  })
