import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Effect } from "effect"
import { InvalidEncoder } from "../../Errors.ts"
import { exists, isPointer, pointerError, reasonOf, requireRegular } from "./Files.ts"

/** The first of these files that a directory holds, relative to it. */
export const firstFile = Effect.fnUntraced(function* (directory: string, names: readonly string[]) {
  for (const name of names) if (yield* exists(join(directory, name))) return name
  return undefined
})

/** The bytes of a data file beside a model. */
export const readBeside = (modelFile: string, location: string): Uint8Array => {
  const file = join(dirname(modelFile), location)
  try {
    requireRegular(file)
    const buffer = readFileSync(file)
    if (isPointer(buffer)) throw pointerError(file)
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
  } catch (error) {
    if (error instanceof InvalidEncoder) throw error
    throw new InvalidEncoder({ message: `the model's data file ${file} cannot be read: ${reasonOf(error)}`, file })
  }
}
