import { fileName, holdsFile, type ReadFiles } from "@tandem/files"
import { Effect } from "effect"
import { InvalidEncoder } from "../Errors.ts"
import { isRecord } from "./Record.ts"

type Json = Readonly<Record<string, unknown>>

/** What a platform's error says, in short. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The error for a file that its place does not give, or that is not to be read. */
export const unreadable = (file: string, error: unknown): InvalidEncoder =>
  error instanceof InvalidEncoder
    ? error
    : new InvalidEncoder({ message: `${file} cannot be read: ${reasonOf(error)}`, file })

/** Whether there is such a file; one that cannot be reached ends in `InvalidEncoder`. */
export const exists = (files: ReadFiles, path: string): Effect.Effect<boolean, InvalidEncoder> =>
  Effect.tryPromise({
    try: () => holdsFile(files, path),
    catch: (error) => unreadable(fileName(files, path), error),
  })

/** The first of these files that there is. */
export const firstFile = Effect.fnUntraced(function* (files: ReadFiles, paths: readonly string[]) {
  for (const path of paths) if (yield* exists(files, path)) return path
  return undefined
})

/** The bytes of a file, or undefined where there is no such file; one that cannot be read ends in `InvalidEncoder`. */
const readBytesIfThere = (files: ReadFiles, path: string): Effect.Effect<Uint8Array | undefined, InvalidEncoder> =>
  Effect.tryPromise({
    try: () => files.read(path),
    catch: (error) => unreadable(fileName(files, path), error),
  })

/** The bytes of a file; one that cannot be read ends in `InvalidEncoder`. */
export const readBytes = (files: ReadFiles, path: string): Effect.Effect<Uint8Array, InvalidEncoder> =>
  Effect.flatMap(readBytesIfThere(files, path), (bytes) =>
    bytes === undefined
      ? Effect.fail(unreadable(fileName(files, path), new Error("there is no such file")))
      : Effect.succeed(bytes),
  )

const textOf = (bytes: Uint8Array, file: string): Effect.Effect<string, InvalidEncoder> =>
  isPointer(bytes) ? Effect.fail(pointerError(file)) : Effect.succeed(new TextDecoder().decode(bytes))

export const readText = (files: ReadFiles, path: string): Effect.Effect<string, InvalidEncoder> =>
  Effect.flatMap(readBytes(files, path), (bytes) => textOf(bytes, fileName(files, path)))

/** The text of a file, or undefined where there is no such file. */
export const readTextIfThere = (files: ReadFiles, path: string): Effect.Effect<string | undefined, InvalidEncoder> =>
  Effect.flatMap(readBytesIfThere(files, path), (bytes) =>
    bytes === undefined ? Effect.succeed(undefined) : textOf(bytes, fileName(files, path)),
  )

/** Whether the bytes are those of the small file that Git LFS keeps in a large one's place. */
export const isPointer = (bytes: Uint8Array): boolean =>
  new TextDecoder().decode(bytes.subarray(0, 24)) === "version https://git-lfs."

/** The error for a file that Git LFS has not fetched. */
export const pointerError = (file: string): InvalidEncoder =>
  new InvalidEncoder({
    message: `${file} has not been fetched`,
    file,
    found: "a pointer of Git LFS",
    hint: "fetch the file itself: git lfs pull",
  })

/** The JSON object in a file; anything else ends in `InvalidEncoder`. */
export const readJson = (files: ReadFiles, path: string): Effect.Effect<Json, InvalidEncoder> =>
  Effect.flatMap(readText(files, path), (text) => parse(text, fileName(files, path), isRecord, "a JSON object"))

/** The JSON list in a file; anything else ends in `InvalidEncoder`. */
export const readJsonList = (files: ReadFiles, path: string): Effect.Effect<readonly unknown[], InvalidEncoder> =>
  Effect.flatMap(readText(files, path), (text) => parse(text, fileName(files, path), isList, "a JSON list"))

/** The JSON object in a file, or undefined where there is no such file. */
export const readJsonIfThere = (files: ReadFiles, path: string): Effect.Effect<Json | undefined, InvalidEncoder> =>
  Effect.flatMap(readTextIfThere(files, path), (text) =>
    text === undefined ? Effect.succeed(undefined) : parse(text, fileName(files, path), isRecord, "a JSON object"),
  )

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value)

const parse = <A>(
  text: string,
  file: string,
  accept: (value: unknown) => value is A,
  expected: string,
): Effect.Effect<A, InvalidEncoder> =>
  Effect.suspend(() => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      return Effect.fail(new InvalidEncoder({ message: `${file} is not JSON: ${reasonOf(error)}`, file, expected }))
    }
    return accept(value)
      ? Effect.succeed(value)
      : Effect.fail(new InvalidEncoder({ message: `${file} does not hold ${expected}`, file, expected }))
  })
