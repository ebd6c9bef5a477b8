import { Predicate, Schema } from "effect"
import { CorruptStoreError, StoreAccessError } from "../StoreError.ts"

export const isCode = (cause: unknown, code: string): boolean =>
  Predicate.hasProperty(cause, "code") && cause.code === code

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

export const unreadable = (file: string, cause: unknown, hint?: string): StoreAccessError =>
  new StoreAccessError({
    message: `${file} cannot be read: ${reason(cause)}`,
    file,
    ...(hint === undefined ? {} : { hint }),
  })

export const unwritable = (file: string, cause: unknown): StoreAccessError =>
  new StoreAccessError({
    message: `${file} cannot be written: ${reason(cause)}`,
    file,
    hint: isCode(cause, "ENOSPC") ? "the disk is full; what was stored before is intact" : "check path and permissions",
  })

export const corrupt = (file: string, what: string, expected: string, found: string, line?: number) =>
  new CorruptStoreError({
    message: `${file}${line === undefined ? "" : `:${line}`} is damaged: ${what}`,
    file,
    expected,
    found,
    hint: "index the corpus again, or take the folder from a backup",
    ...(line === undefined ? {} : { line }),
  })

/** Parses JSON by a schema; what does not fit is a damaged file. */
export const decodeJson = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  text: string,
  file: string,
  line?: number,
): S["Type"] => {
  try {
    return Schema.decodeUnknownSync(schema)(JSON.parse(text))
  } catch (cause) {
    throw corrupt(file, "it does not have the form that it was written in", "JSON of format 1", reason(cause), line)
  }
}
