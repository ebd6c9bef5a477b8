import type { Example } from "./Example.ts"
import type { Place, Remark } from "./Source.ts"

/** One turn of a conversation. A chat template of the model puts it into text. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant"
  readonly content: string
  /** Whether the model learns to say it: its tokens, and what ends the turn, count in the loss. */
  readonly trained: boolean
  readonly name?: string
  /** Further fields of the message. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** A piece of text as it stands, special tokens included; pieces are tokenized one by one ({@link segmentTokens}). */
export interface Segment {
  readonly text: string
  /** Whether its tokens count in the loss. */
  readonly trained: boolean
}

interface Described {
  readonly id: string
  /** Scales the example's loss (default 1). */
  readonly weight?: number
  /** The instruction set that it was drawn from, where several are mixed. */
  readonly set?: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** What a generator is trained on, as turns of a conversation. A question and its answer are one of two turns. */
export interface Conversation extends Described {
  readonly kind: "messages"
  readonly messages: readonly ChatMessage[]
}

/** What a generator is trained on, as text that no template touches. */
export interface SegmentedText extends Described {
  readonly kind: "segments"
  readonly segments: readonly Segment[]
}

/** An example for a generator that says of every piece whether it is trained on. */
export type InstructionExample = Conversation | SegmentedText

/** An example for a generator, and where it stood. */
export type InstructionRow = Place & { readonly example: InstructionExample; readonly remarks?: readonly Remark[] }

/** Whether an example has anything to train on. */
export const hasTrained = (example: InstructionExample): boolean =>
  example.kind === "messages"
    ? example.messages.some(({ trained, content }) => trained && content !== "")
    : example.segments.some(({ trained, text }) => trained && text !== "")

/** The conversation of a question and the answer to it, of which the answer is trained on. */
export const questionAndAnswer = (query: string, response: string): readonly ChatMessage[] => [
  { role: "user", content: query, trained: false },
  { role: "assistant", content: response, trained: true },
]

/**
 * An example of question and answer as a conversation: `query`, and `response` or the first of `answers`, which is empty
 * where there is neither. Passages are left behind; a trainer that retrieves takes the {@link Example} itself.
 */
export const instructionOf = ({ id, query, response, answers, weight, metadata }: Example): Conversation => ({
  kind: "messages",
  id,
  messages: questionAndAnswer(query, response ?? answers[0] ?? ""),
  ...(weight === undefined ? {} : { weight }),
  ...(metadata === undefined ? {} : { metadata }),
})
