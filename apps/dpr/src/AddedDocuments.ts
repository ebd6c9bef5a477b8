import { existsSync } from "node:fs"
import { join } from "node:path"
import { readRecord, writeJson } from "@tandem/runs/node/RunFiles"
import { Effect, Schema } from "effect"

const AddedFile = Schema.Struct({
  /** Of the file's bytes. */
  sha256: Schema.String,
  /** Ids of its passages. */
  passages: Schema.Array(Schema.String),
})
export type AddedFile = typeof AddedFile.Type

const Chunking = Schema.Struct({
  chunkSize: Schema.Number,
  overlap: Schema.Number,
  /** How tokens are counted; by the encoder's tokenizer where absent. */
  tokens: Schema.optional(Schema.Literal("approximate")),
})
/** How documents were divided. */
export type Chunking = typeof Chunking.Type

const Record = Schema.Struct({
  format: Schema.Literal(1),
  chunking: Chunking,
  /** By the absolute paths of folders, and by the sources of files in them. */
  folders: Schema.Record(Schema.String, Schema.Record(Schema.String, AddedFile)),
})

/** What documents an index was made of; none were added where `chunking` is absent. */
export interface Added {
  readonly chunking?: Chunking
  readonly folders: Readonly<Record<string, Readonly<Record<string, AddedFile>>>>
}

const fileOf = (store: string): string => join(store, "documents.json")

/** Reads what an index was made of. */
export const readAdded = Effect.fnUntraced(function* (store: string) {
  const file = fileOf(store)
  if (!existsSync(file)) return { folders: {} } satisfies Added as Added
  const { chunking, folders } = yield* readRecord(file, Record)
  return { chunking, folders } satisfies Added as Added
})

/** Writes what an index is made of, as a whole. */
export const writeAdded = (store: string, added: Required<Added>) => writeJson(fileOf(store), { format: 1, ...added })
