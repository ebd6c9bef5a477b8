import { createHash } from "node:crypto"
import { createReadStream, existsSync, promises as fs } from "node:fs"
import { basename, join } from "node:path"
import { writeWhole as replaceFile } from "@tandem/files/node/WriteWhole"
import { Effect, Schema } from "effect"
import { InvalidRunError, RunFolderError } from "../Errors.ts"

/** An I/O action on the run folder; a failure names file and cause. */
export const onDisk = <A>(file: string, body: () => Promise<A>): Effect.Effect<A, RunFolderError> =>
  Effect.tryPromise({
    try: body,
    catch: (cause) => {
      const full = cause instanceof Error && "code" in cause && cause.code === "ENOSPC"
      return new RunFolderError({
        message: `cannot use the run folder: ${cause instanceof Error ? cause.message : String(cause)}`,
        file,
        ...(full ? { hint: "free some space and go on with `resume`" } : {}),
      })
    },
  })

/** Writes a file aside, flushes it and renames it into place. */
export const writeWhole = (file: string, content: string): Effect.Effect<void, RunFolderError> =>
  onDisk(file, () => replaceFile(file, content))

/** Writes JSON for people: indented, a newline at the end. */
export const writeJson = (file: string, value: unknown): Effect.Effect<void, RunFolderError> =>
  writeWhole(file, `${JSON.stringify(value, null, 2)}\n`)

/** Reads JSON of the run folder; a file that is missing or no JSON ends in `InvalidRunError`. */
export const readJson = Effect.fnUntraced(function* (
  file: string,
): Effect.fn.Return<unknown, InvalidRunError | RunFolderError> {
  if (!existsSync(file)) {
    return yield* new InvalidRunError({ message: `the run folder lacks ${basename(file)}`, file, found: "nothing" })
  }
  const text = yield* onDisk(file, () => fs.readFile(file, "utf8"))
  return yield* Effect.try({ try: (): unknown => JSON.parse(text), catch: (cause) => damaged(file, cause) })
})

/** Reads JSON of the run folder as its schema says; anything else ends in `InvalidRunError`. */
export const readRecord = Effect.fnUntraced(function* <A>(
  file: string,
  schema: Schema.Codec<A, unknown>,
): Effect.fn.Return<A, InvalidRunError | RunFolderError> {
  const value = yield* readJson(file)
  return yield* Effect.mapError(Schema.decodeUnknownEffect(schema)(value), (cause) => damaged(file, cause))
})

const damaged = (file: string, cause: unknown): InvalidRunError =>
  new InvalidRunError({
    message: `${basename(file)} of the run folder is not what a run writes: ${reasonOf(cause)}`,
    file,
    hint: "put it back as the run wrote it, or make the run again",
  })

/** What went wrong, on one line. */
const reasonOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).replace(/\s*\n\s*/g, " ")

/** SHA-256 of a file, streamed; of a folder, over its regular files' names and contents. */
export const hashPath = (path: string): Effect.Effect<string, RunFolderError> =>
  onDisk(path, async () => {
    const hash = createHash("sha256")
    const isFolder = (await fs.stat(path)).isDirectory()
    const entries = isFolder ? await fs.readdir(path, { recursive: true, withFileTypes: true }) : []
    const files: string[] = isFolder ? [] : [path]
    for (const entry of entries) {
      const file = join(entry.parentPath, entry.name)
      // What a link leads to is read as the data, so it is hashed as the data.
      if (entry.isFile() || (entry.isSymbolicLink() && (await fs.stat(file)).isFile())) files.push(file)
    }
    files.sort()
    for (const file of files) {
      if (isFolder) hash.update(file.slice(path.length))
      for await (const chunk of createReadStream(file)) hash.update(chunk)
    }
    return hash.digest("hex")
  })
