import { Effect } from "effect"
import { InvalidAskError } from "./Errors.ts"

/** The question of a conversation: what its last turn says, which has to be the user's. Earlier turns are not read. */
export const questionOf = (
  messages: readonly { readonly role: string; readonly content: string }[],
): Effect.Effect<string, InvalidAskError> => {
  const last = messages.at(-1)
  if (last?.role === "user") return Effect.succeed(last.content)
  return Effect.fail(
    new InvalidAskError({
      message: "a conversation has to end with the user's question",
      field: "messages",
      expected: "a last message whose role is user",
      found: last === undefined ? "no message" : `role ${last.role}`,
    }),
  )
}
