import type { RowTurn, TrainingRow } from "../format/TrainingRows.ts"

/** A turn of a conversation as chat formats have it. */
export interface ExportedMessage {
  readonly role: "system" | "user" | "assistant"
  readonly content: string
}

/** The system's turn with the passages, and all turns of a row up to an end. */
export const messagesOf = ({ system, turns }: TrainingRow, end = turns.length): readonly ExportedMessage[] => [
  { role: "system", content: system },
  ...turns.slice(0, end).map(({ role, text }) => ({ role, content: text })),
]

/** The ends, exclusive, of the assistant's turns that are trained. */
export const trainedEnds = (turns: readonly RowTurn[]): readonly number[] =>
  turns.flatMap(({ role, trained }, at) => (role === "assistant" && trained ? [at + 1] : []))

/** A value as a line of JSON. */
export const jsonLine = (value: unknown): string => `${JSON.stringify(value)}\n`
