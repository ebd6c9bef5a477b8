import { Effect } from "effect"
import { InvalidKeyError } from "../Errors.ts"

/** The key in an environment variable; one that is not set, is short or cannot be sent as a header ends in `InvalidKeyError`. */
export const keyFrom = (variable: string): Effect.Effect<string, InvalidKeyError> =>
  Effect.suspend(() => {
    const key = process.env[variable]
    if (key !== undefined && /^[\x21-\x7e]{8,}$/.test(key)) return Effect.succeed(key)
    return Effect.fail(
      new InvalidKeyError({
        message: `the environment variable ${variable} holds no key`,
        field: "apiKeyEnv",
        expected: "8 or more printable characters without a blank",
        found: key === undefined ? "nothing" : "something else",
      }),
    )
  })
