import type { Conversation } from "../Item.ts"

/** What a reply can be faulty in. */
export type Check =
  | "turns"
  | "truncated"
  | "leaked-prompt"
  | "invented-quote"
  | "unknown-source"
  | "uncited"
  | "leaked-context"
  | "not-abstaining"
  | "ungrounded"
  | "not-retrieved"

/** A fault that was found. */
export interface Finding {
  readonly check: Check
  /** The turn that has it, from 0; absent where it is the conversation's, or its context's. */
  readonly turn?: number
  /** What is wrong, in words. */
  readonly detail: string
}

/** Finds faults of one kind. */
export type Verifier = (conversation: Conversation) => readonly Finding[]

/** The assistant's turns with their places. */
export const answersOf = ({ turns }: Conversation): readonly { readonly text: string; readonly turn: number }[] =>
  turns.flatMap(({ role, text }, turn) => (role === "assistant" ? [{ text, turn }] : []))

/** All that a reply may repeat: the sources, headings and texts that were shown, and what the user said before a turn. */
export const shownTexts = ({ item, turns }: Conversation, before: number): readonly string[] => [
  ...item.shown.flatMap(({ source, heading = "", text }) => [text, heading, source]),
  ...turns.slice(0, before).flatMap(({ role, text }) => (role === "user" ? [text] : [])),
]

/** The beginning of a text, on one line. */
export const excerpt = (text: string, most = 80): string => {
  const line = text.replace(/\s+/g, " ").trim()
  return line.length <= most ? line : `${line.slice(0, most).replace(/[\ud800-\udbff]$/, "")}…`
}

/** A finding as the reason that an item is rejected for: `invented-quote: …`. */
export const reasonOf = ({ check, turn, detail }: Finding): string =>
  `${check}: ${turn === undefined ? "" : `turn ${turn + 1}: `}${detail}`
