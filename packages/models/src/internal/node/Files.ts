import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { access } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { Effect } from "effect"
import { InvalidEncoder } from "../../Errors.ts"
import { modelFiles } from "../../node/ModelFiles.ts"
import * as Reading from "../Reading.ts"
import { modelPath } from "./ModelPath.ts"

export const exists = (file: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    access(file).then(
      () => true,
      () => false,
    ),
  )

/** Operating systems read at most 2 GiB at once, and shards may be larger. */
const largestRead = 2 ** 30

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

/** The bytes of a data file beside a model. */
export const readBeside = (modelFile: string, location: string): Uint8Array => {
  const file = join(dirname(modelFile), location)
  try {
    const bytes = bytesAt(modelPath(file))
    if (Reading.isPointer(bytes)) throw Reading.pointerError(file)
    return bytes
  } catch (error) {
    if (error instanceof InvalidEncoder) throw error
    const reason = Reading.reasonOf(error)
    throw new InvalidEncoder({ message: `the model's data file ${file} cannot be read: ${reason}`, file })
  }
}

/** The bytes of a file of a model; one that cannot be read ends in `InvalidEncoder`. */
export const readBytes = (file: string): Effect.Effect<Uint8Array, InvalidEncoder> =>
  Reading.readBytes(modelFiles(dirname(file)), basename(file))

/** The JSON object in a file of a model; anything else ends in `InvalidEncoder`. */
export const readJson = (file: string): Effect.Effect<Readonly<Record<string, unknown>>, InvalidEncoder> =>
  Reading.readJson(modelFiles(dirname(file)), basename(file))

/** The same, or undefined where there is no such file. */
export const readJsonIfThere = (directory: string, name: string) =>
  Effect.flatMap(exists(join(directory, name)), (there) =>
    there ? readJson(join(directory, name)) : Effect.succeed(undefined),
  )
