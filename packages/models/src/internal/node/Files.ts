import { access, open } from "node:fs/promises"
import { join } from "node:path"
import { Effect } from "effect"
import { InvalidEncoder } from "../../Errors.ts"
import { isRecord } from "../Record.ts"

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

/** The bytes of a file; one that cannot be read ends in `InvalidEncoder`. */
export const readBytes = (file: string): Effect.Effect<Uint8Array, InvalidEncoder> =>
  Effect.tryPromise({
    try: async () => {
      const handle = await open(file, "r")
      try {
        const { size } = await handle.stat()
        const bytes = new Uint8Array(size)
        let read = 0
        while (read < size) {
          const part = bytes.subarray(read, Math.min(size, read + largestRead))
          const { bytesRead } = await handle.read(part, 0, part.byteLength, read)
          if (bytesRead === 0) return bytes.subarray(0, read)
          read += bytesRead
        }
        return bytes
      } finally {
        await handle.close()
      }
    },
    catch: (error) => new InvalidEncoder({ message: `${file} cannot be read: ${reasonOf(error)}`, file }),
  })

export const readText = (file: string): Effect.Effect<string, InvalidEncoder> =>
  Effect.map(readBytes(file), (bytes) => new TextDecoder().decode(bytes))

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
