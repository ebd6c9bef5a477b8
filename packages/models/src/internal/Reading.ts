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

/** The bytes of a file; one that cannot be read ends in `InvalidEncoder`. */
export const readBytes = (files: ReadFiles, path: string): Effect.Effect<Uint8Array, InvalidEncoder> =>
  Effect.tryPromise({
    try: async () => {
      const bytes = await files.read(path)
      if (bytes === undefined) throw new Error("there is no such file")
      return bytes
    },
    catch: (error) => unreadable(fileName(files, path), error),
  })

export const readText = (files: ReadFiles, path: string): Effect.Effect<string, InvalidEncoder> =>
  Effect.flatMap(readBytes(files, path), (bytes) =>
    isPointer(bytes)
      ? Effect.fail(pointerError(fileName(files, path)))
      : Effect.succeed(new TextDecoder().decode(bytes)),
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
  Effect.flatMap(exists(files, path), (there) => (there ? readJson(files, path) : Effect.succeed(undefined)))

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
