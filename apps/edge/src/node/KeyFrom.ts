import { Effect } from "effect"
import { InvalidKeyError } from "../Errors.ts"
import { checkedKey } from "../internal/Key.ts"

/** The key in an environment variable; one that is not set, is short or cannot be sent as a header ends in `InvalidKeyError`. */
export const keyFrom = (variable: string): Effect.Effect<string, InvalidKeyError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(checkedKey(variable, process.env[variable]))
    } catch (cause) {
      return cause instanceof InvalidKeyError ? Effect.fail(cause) : Effect.die(cause)
    }
  })
