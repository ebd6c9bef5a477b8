import { createHash } from "node:crypto"
import { createReadStream, promises as fs } from "node:fs"
import { basename, dirname, join } from "node:path"
import { filesIn } from "@tandem/files/node/FilesIn"
import { writeWhole as replaceFile } from "@tandem/files/node/WriteWhole"
import { Effect, type Schema } from "effect"
import { type InvalidRunError, RunFolderError } from "../Errors.ts"
import * as ReadRun from "../ReadRun.ts"

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
export const readJson = (file: string): Effect.Effect<unknown, InvalidRunError | RunFolderError> =>
  ReadRun.readJson(filesIn(dirname(file)), basename(file))

/** Reads JSON of the run folder as its schema says; anything else ends in `InvalidRunError`. */
export const readRecord = <A>(
  file: string,
  schema: Schema.Codec<A, unknown>,
): Effect.Effect<A, InvalidRunError | RunFolderError> =>
  ReadRun.readRecord(filesIn(dirname(file)), basename(file), schema)

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
