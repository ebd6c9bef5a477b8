import { fileName, type ReadFiles } from "@tandem/files"
import { type Graph, readModel } from "@tandem/onnx"
import { Effect } from "effect"
import { InvalidEncoder, type ModelError } from "../Errors.ts"
import { isSafePath } from "../files/HubId.ts"
import { attempt } from "./Attempt.ts"
import { isPointer, pointerError, readBytes, reasonOf } from "./Reading.ts"

/** A data file that has not been fetched yet: readers of models ask for one at a time. */
class Missing extends Error {
  readonly location: string
  constructor(location: string) {
    super(location)
    this.location = location
  }
}

/** The graph in an ONNX file, with its weights out of the data files beside it. */
export const readGraph = Effect.fnUntraced(function* (
  files: ReadFiles,
  path: string,
): Effect.fn.Return<Graph, ModelError> {
  const bytes = yield* readBytes(files, path)
  const data = new Map<string, Uint8Array>()
  const external = (location: string): Uint8Array => {
    const known = data.get(location)
    if (known === undefined) throw new Missing(location)
    return known
  }
  for (;;) {
    const graph = yield* attempt(() => {
      try {
        return readModel(bytes, { file: fileName(files, path), external })
      } catch (error) {
        if (error instanceof Missing) return error.location
        throw error
      }
    })
    if (typeof graph !== "string") return graph
    data.set(graph, yield* readBeside(files, path, graph))
  }
})

/** The bytes of a data file beside a model. */
const readBeside = Effect.fnUntraced(function* (
  files: ReadFiles,
  modelFile: string,
  location: string,
): Effect.fn.Return<Uint8Array, InvalidEncoder> {
  const path = [...modelFile.split("/").slice(0, -1), location].join("/")
  const file = fileName(files, path)
  const unread = (reason: string): InvalidEncoder =>
    new InvalidEncoder({ message: `the model's data file ${file} cannot be read: ${reason}`, file })
  if (!isSafePath(location)) return yield* unread("it lies outside of the model's folder")
  const bytes = yield* Effect.tryPromise({
    try: () => files.read(path),
    catch: (error) => (error instanceof InvalidEncoder ? error : unread(reasonOf(error))),
  })
  if (bytes === undefined) return yield* unread("there is no such file")
  return isPointer(bytes) ? yield* pointerError(file) : bytes
})
