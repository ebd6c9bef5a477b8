import type { DataWarning } from "./DataWarning.ts"
import type { Example } from "./Example.ts"
import type { Passage } from "./Passage.ts"

/**
 * Text to be parsed, in pieces of any length, with the name under which errors speak of it.
 * Readers hold one row at a time, so that files may be larger than memory.
 */
export interface Source {
  readonly file: string
  readonly chunks: AsyncIterable<string>
}

/** Where something stood. */
export interface Place {
  readonly file: string
  readonly line: number
}

/** A row of a file as a JSON value, with the line (or for tables without lines the row) on which it starts. */
export interface TableRow {
  readonly value: unknown
  readonly line: number
}

/** Something that was noticed in a row; equal ones are counted and make one warning. */
export interface Remark {
  readonly kind: DataWarning["kind"]
  /** What it is about: a field, an id. */
  readonly subject: string
}

/** An example as read: its own passages beside it, its ids not yet looked up. */
export type ExampleRow = Place & {
  readonly example: Example
  readonly passages: readonly Passage[]
  /**
   * Strings of columns that hold texts, by the ids that were made for them as passages: where a corpus has such an id,
   * the string names its passage.
   */
  readonly texts?: ReadonlyMap<string, string>
  /** Whether positives and negatives are judgements of a published data set, which may be about passages that are gone. */
  readonly judged?: boolean
  readonly remarks?: readonly Remark[]
}

/** A passage as read. */
export type PassageRow = Place & { readonly passage: Passage; readonly remarks?: readonly Remark[] }

/** A source that holds a string. */
export const sourceOf = (text: string, file = "<text>"): Source => ({ file, chunks: once(text) })

async function* once(text: string): AsyncGenerator<string> {
  yield text
}
