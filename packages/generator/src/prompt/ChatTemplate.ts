import type { Message } from "../Generator.ts"

/** What a chat template is rendered with besides the conversation. */
export interface RenderOptions {
  /** Whether the text ends where the assistant's answer begins. */
  readonly addGenerationPrompt?: boolean
  /** Further variables, such as `enable_thinking`, `tools` or `documents`. */
  readonly variables?: Readonly<Record<string, unknown>>
  /** The time that `strftime_now` tells. */
  readonly now: Date
}

/** A tokenizer's layout of conversations. */
export interface ChatTemplate {
  /** Where it came from. */
  readonly file: string
  /** The conversation as one text, special tokens written out. */
  readonly render: (messages: readonly Message[], options: RenderOptions) => string
}
