import { Effect } from "effect"
import { InvalidAskError } from "../Errors.ts"

/** Most passages of one question. */
const mostPassages = 1000

/** Refuses a question without words. */
export const checkQuestion = (question: string): Effect.Effect<void, InvalidAskError> =>
  question.trim() === ""
    ? Effect.fail(
        new InvalidAskError({
          message: "a question has no words",
          field: "question",
          expected: "a text",
          found: "blanks",
        }),
      )
    : Effect.void

/** Refuses a number of passages that makes no sense. */
export const checkCount = (k: number): Effect.Effect<void, InvalidAskError> =>
  checkWhole(k, "k", mostPassages, "passages cannot be found in this number")

/** Refuses a longest answer that makes no sense. */
export const checkMaxTokens = (maxTokens: number): Effect.Effect<void, InvalidAskError> =>
  checkWhole(maxTokens, "maxTokens", Number.MAX_SAFE_INTEGER, "an answer cannot have this number of tokens")

const checkWhole = (
  value: number,
  field: string,
  most: number,
  message: string,
): Effect.Effect<void, InvalidAskError> =>
  Number.isSafeInteger(value) && value >= 1 && value <= most
    ? Effect.void
    : Effect.fail(
        new InvalidAskError({
          message,
          field,
          expected: most === Number.MAX_SAFE_INTEGER ? "a whole number from 1 on" : `a whole number from 1 to ${most}`,
          found: `${value}`,
        }),
      )
