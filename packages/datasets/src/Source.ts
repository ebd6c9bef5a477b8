import type { Example } from "./Example.ts"
import type { Passage } from "./Passage.ts"

/**
 * Text to be parsed, in pieces of any length, with the name under which errors speak of it.
 * Readers hold one row at a time, so that files may be larger than memory.
 */
export type Source = {
  readonly file: string
  readonly chunks: AsyncIterable<string>
}

/** Where something stood. */
export type Place = { readonly file: string; readonly line: number }

/** An example as read: its own passages beside it, its ids not yet looked up. */
export type ExampleRow = Place & { readonly example: Example; readonly passages: readonly Passage[] }

/** A passage as read. */
export type PassageRow = Place & { readonly passage: Passage }

/** A source that holds a string. */
export const sourceOf = (text: string, file = "<text>"): Source => ({ file, chunks: once(text) })

async function* once(text: string): AsyncGenerator<string> {
  yield text
}
