import { Schema } from "effect"

// A plain name inside the folder: a manifest must not be able to point anywhere else.
const FileEntry = Schema.Struct({
  file: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._-]*$/)),
  bytes: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  sha256: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
})

/** One data file of a stored folder. */
export type FileEntry = typeof FileEntry.Type

/** `manifest.json` of a stored folder: the one file that says which of the others count. */
export const Manifest = Schema.Struct({
  format: Schema.Literal(1),
  dimension: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  similarity: Schema.Literals(["dot", "cosine", "l2"]),
  fingerprint: Schema.String,
  count: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  vectors: FileEntry,
  passages: FileEntry,
  caches: Schema.Record(Schema.String, FileEntry),
})

export type Manifest = typeof Manifest.Type

export const StoredPassage = Schema.Struct({
  id: Schema.String,
  text: Schema.String,
  title: Schema.optionalKey(Schema.String),
  metadata: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
})
