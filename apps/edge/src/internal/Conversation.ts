import type { Schema } from "effect"
import { Refusal } from "../Refusal.ts"
import type { ChatMessage } from "./RequestBodies.ts"

type Message = Schema.Schema.Type<typeof ChatMessage>

/** What a run answers of a conversation: its last turn, which is the user's. */
export interface Question {
  readonly query: string
  /** Where the turns that were not read stand: a run answers questions, and its own template is what the model reads. */
  readonly unread: readonly string[]
}

const textOf = ({ content }: Message): string =>
  typeof content === "string" ? content : content.map(({ text }) => text).join("\n")

/** The question of a conversation; one that does not end with the user's words is a `Refusal`. */
export const questionOf = (messages: readonly Message[]): Question => {
  const last = messages.at(-1)
  const param = `messages.${messages.length - 1}`
  if (last?.role !== "user")
    throw new Refusal(400, "the last of `messages` has to be the user's", { code: "invalid_value", param })
  const query = textOf(last)
  if (query.trim() === "") throw new Refusal(400, `\`${param}\` is empty`, { code: "invalid_value", param })
  return { query, unread: messages.slice(0, -1).map((_, index) => `messages.${index}`) }
}
