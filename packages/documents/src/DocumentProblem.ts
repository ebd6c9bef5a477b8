import { Schema } from "effect"

/**
 * Why a file, or a line of one, is no document:
 *
 * - `unreadable`: it cannot be opened or read, or a link leads nowhere;
 * - `empty`: it has no text, as a scanned page has none;
 * - `too-large`: it, or what it unpacks to, is over the limit;
 * - `binary`: a text file that holds bytes of something else, or is in no encoding that is known;
 * - `password-protected`: it is encrypted;
 * - `damaged`: it starts as a file of its format and does not go on as such;
 * - `outside`: a symbolic link out of the folder, which is not followed;
 * - `bad-line`: a line of JSON Lines that is no JSON object with a `text`;
 * - `reader-missing`: the package that reads this format is not installed.
 */
export const problemReasons = [
  "unreadable",
  "empty",
  "too-large",
  "binary",
  "password-protected",
  "damaged",
  "outside",
  "bad-line",
  "reader-missing",
] as const

export type ProblemReason = (typeof problemReasons)[number]

/** A file, or a line of one, that was skipped. */
export class DocumentProblem extends Schema.TaggedError<DocumentProblem>()("DocumentProblem", {
  /** As `Document.source`. */
  source: Schema.String,
  reason: Schema.Literals(problemReasons),
  message: Schema.String,
  line: Schema.optional(Schema.Number),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}) {}

/** Whether an item of a stream of documents is a problem. */
export const isProblem = (item: unknown): item is DocumentProblem => item instanceof DocumentProblem
