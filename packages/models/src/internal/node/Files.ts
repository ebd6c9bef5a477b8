import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { access, open } from "node:fs/promises"
import { join } from "node:path"
import { Effect } from "effect"
import { InvalidEncoder } from "../../Errors.ts"
import { isRecord } from "../Record.ts"
import { modelPath } from "./ModelPath.ts"

type Json = Readonly<Record<string, unknown>>

/** What an operating system's error says, in short. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const exists = (file: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    access(file).then(
      () => true,
      () => false,
    ),
  )

/** Operating systems read at most 2 GiB at once, and shards may be larger. */
const largestRead = 2 ** 30

/** A file that is being read. */
export interface OpenFile {
  readonly size: number
  /** The bytes from `start` to `end` in memory of their own; fewer where the file ends before. */
  readonly read: (start: number, end: number) => Promise<Uint8Array>
}

/** The bytes of a file at a path that `modelPath` or `regular` gave. */
export const bytesAt = (path: string): Uint8Array => {
  const handle = openSync(path, "r")
  try {
    const bytes = new Uint8Array(fstatSync(handle).size)
    for (let at = 0; at < bytes.length; ) {
      const count = readSync(handle, bytes, at, Math.min(largestRead, bytes.length - at), at)
      if (count === 0) return bytes.subarray(0, at)
      at += count
    }
    return bytes
  } finally {
    closeSync(handle)
  }
}

/** Opens a file of a model for as long as it is used. */
export const withFile = async <A>(file: string, use: (opened: OpenFile) => Promise<A>): Promise<A> => {
  const handle = await open(modelPath(file), "r")
  try {
    const read = async (start: number, end: number): Promise<Uint8Array> => {
      const bytes = new Uint8Array(end - start)
      for (let done = 0; done < bytes.length; ) {
        const part = bytes.subarray(done, done + largestRead)
        const { bytesRead } = await handle.read(part, 0, part.length, start + done)
        if (bytesRead === 0) return bytes.subarray(0, done)
        done += bytesRead
      }
      return bytes
    }
    return await use({ size: (await handle.stat()).size, read })
  } finally {
    await handle.close()
  }
}

/** The error for a file that the operating system does not give, or that is not to be read. */
export const unreadable = (file: string, error: unknown): InvalidEncoder =>
  error instanceof InvalidEncoder
    ? error
    : new InvalidEncoder({ message: `${file} cannot be read: ${reasonOf(error)}`, file })

/** The bytes of a file; one that cannot be read ends in `InvalidEncoder`. */
export const readBytes = (file: string): Effect.Effect<Uint8Array, InvalidEncoder> =>
  Effect.tryPromise({
    try: () => withFile(file, ({ read, size }) => read(0, size)),
    catch: (error) => unreadable(file, error),
  })

export const readText = (file: string): Effect.Effect<string, InvalidEncoder> =>
  Effect.flatMap(readBytes(file), (bytes) =>
    isPointer(bytes) ? Effect.fail(pointerError(file)) : Effect.succeed(new TextDecoder().decode(bytes)),
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
export const readJson = (file: string): Effect.Effect<Json, InvalidEncoder> =>
  Effect.flatMap(readText(file), (text) => parse(text, file, isRecord, "a JSON object"))

/** The JSON list in a file; anything else ends in `InvalidEncoder`. */
export const readJsonList = (file: string): Effect.Effect<readonly unknown[], InvalidEncoder> =>
  Effect.flatMap(readText(file), (text) => parse(text, file, isList, "a JSON list"))

/** The JSON object in a file, or undefined where there is no such file. */
export const readJsonIfThere = (directory: string, name: string): Effect.Effect<Json | undefined, InvalidEncoder> => {
  const file = join(directory, name)
  return Effect.flatMap(exists(file), (there) => (there ? readJson(file) : Effect.succeed(undefined)))
}

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
