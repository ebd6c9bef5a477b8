import { InvalidKeyError } from "../Errors.ts"

/** What the environment variable `variable` holds, where it is a key. */
export const checkedKey = (variable: string, key: unknown): string => {
  if (typeof key === "string" && /^[\x21-\x7e]{8,}$/.test(key)) return key
  throw new InvalidKeyError({
    message: `the environment variable ${variable} holds no key`,
    field: "apiKeyEnv",
    expected: "8 or more printable characters without a blank",
    found: key === undefined ? "nothing" : "something else",
  })
}
