import type { Paragraph } from "../Document.ts"
import type { ProblemReason } from "../DocumentProblem.ts"

/** What a file says, before it has a name. */
export interface Extracted {
  readonly title?: string
  readonly paragraphs: Iterable<Paragraph>
}

export interface ReadLimits {
  /** Most bytes that an archive, or what a file packs, may unpack to. */
  readonly maxUnpackedBytes: number
}

/** Reads the bytes of a file of one format; what it cannot read ends in {@link Unreadable}. */
export type Reader = (bytes: Uint8Array, limits: ReadLimits) => Extracted | Promise<Extracted>

/** Why a file is no document, thrown by readers and made a `DocumentProblem` where the file's name is known. */
export class Unreadable extends Error {
  override readonly name = "Unreadable"
  readonly reason: ProblemReason
  readonly hint: string | undefined

  /** `message` goes on after the name of the file. */
  constructor(reason: ProblemReason, message: string, hint?: string) {
    super(message)
    this.reason = reason
    this.hint = hint
  }
}
