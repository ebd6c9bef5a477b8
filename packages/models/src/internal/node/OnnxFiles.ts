import { dirname, join } from "node:path"
import { Effect } from "effect"
import { InvalidEncoder } from "../../Errors.ts"
import { bytesAt, exists, isPointer, pointerError, reasonOf } from "./Files.ts"
import { modelPath } from "./ModelPath.ts"

/** The first of these files that a directory holds, relative to it. */
export const firstFile = Effect.fnUntraced(function* (directory: string, names: readonly string[]) {
  for (const name of names) if (yield* exists(join(directory, name))) return name
  return undefined
})

/** The bytes of a data file beside a model. */
export const readBeside = (modelFile: string, location: string): Uint8Array => {
  const file = join(dirname(modelFile), location)
  try {
    const bytes = bytesAt(modelPath(file))
    if (isPointer(bytes)) throw pointerError(file)
    return bytes
  } catch (error) {
    if (error instanceof InvalidEncoder) throw error
    throw new InvalidEncoder({ message: `the model's data file ${file} cannot be read: ${reasonOf(error)}`, file })
  }
}
