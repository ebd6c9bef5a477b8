import type { Mutation } from "./Mutation.ts"

/** What a whole file, or a folder of files, says: texts that are equal where what was read is equal. */
export type Reading = Readonly<Record<string, string>>

/** A parser, and files that it reads. */
export interface Target {
  readonly name: string
  /** Files by path; one of them is damaged each time. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** The part of a file in which it says what it holds, `[0, length)` where absent. */
  readonly head?: (path: string) => readonly [number, number]
  /** Reads the files; what it throws must be tagged. */
  readonly read: (files: ReadonlyMap<string, Uint8Array>) => Promise<Reading>
  /** Whether an error names the damaged file. */
  readonly names: (error: object, path: string) => boolean
  /**
   * Why a damaged file may be read as something else than the whole one: a sentence where it may, undefined where a word
   * was due.
   */
  readonly permits: (damage: Damage) => string | undefined
}

/** A damage that nothing refused. */
export interface Damage extends Mutation {
  readonly path: string
  readonly before: Reading
  readonly after: Reading
  /** Parts of the reading that are others, appeared or are gone. */
  readonly changed: readonly string[]
}

export const changedParts = (before: Reading, after: Reading): readonly string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => before[key] !== after[key])
