import { fileName, type ReadFiles } from "@tandem/files"
import { fromBytes, type Tensor } from "@tandem/onnx"
import { InvalidSafetensors, readSafetensors, safetensorsHeaderEnd, safetensorsLayout } from "@tandem/safetensors"
import { Effect } from "effect"
import { isModelError, type ModelError } from "../Errors.ts"
import { isSafePath } from "../files/HubId.ts"
import { firstFile, readJson, unreadable } from "./Reading.ts"
import { isRecord } from "./Record.ts"

/** The names under which Hugging Face keeps weights: one file, or the index of several. */
const single = "model.safetensors"
const index = "model.safetensors.index.json"

/** The tensors of a checkpoint and the file, or the index of files, that they stand in. */
export interface Weights {
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly file: string
}

/** The file of a folder that says where its safetensors weights are, or undefined where it has none. */
export const findWeights = (files: ReadFiles) => firstFile(files, [single, index])

/**
 * The weights of a folder, from `model.safetensors` or from the files that `model.safetensors.index.json` lists;
 * undefined where it has neither. Files that are missing or contradict the index end in an error.
 */
export const readWeights = Effect.fnUntraced(function* (
  files: ReadFiles,
): Effect.fn.Return<Weights | undefined, ModelError> {
  const found = yield* findWeights(files)
  if (found === undefined) return undefined
  const file = fileName(files, found)
  if (found === single) return { tensors: yield* readOne(files, found), file }
  const map = (yield* readJson(files, found))["weight_map"]
  const places = isRecord(map) ? Object.entries(map) : []
  const wrong = places.find(([, name]) => typeof name !== "string" || !isSafePath(name))
  if (places.length === 0 || wrong !== undefined) {
    return yield* new InvalidSafetensors({
      message: `${file} does not say which file holds which tensor`,
      file,
      field: "weight_map",
      expected: "names of tensors with names of files beside the index",
      found: JSON.stringify(wrong?.[1]) ?? "nothing",
    })
  }
  const tensors = new Map<string, Tensor>()
  for (const name of new Set(places.map(([, place]) => String(place)))) {
    for (const [key, value] of yield* readOne(files, name)) tensors.set(key, value)
  }
  const lost = places.find(([name]) => !tensors.has(name))
  if (lost !== undefined) {
    return yield* new InvalidSafetensors({
      message: `${String(lost[1])} lacks the tensor ${lost[0]} that ${file} places there`,
      file: fileName(files, String(lost[1])),
      tensor: lost[0],
    })
  }
  return { tensors, file }
})

/** Where parts can be read, each tensor lies in memory of its own, so that it can be handed on and forgotten without the others. */
const readOne = (files: ReadFiles, path: string): Effect.Effect<ReadonlyMap<string, Tensor>, ModelError> => {
  const file = fileName(files, path)
  return Effect.tryPromise({
    try: async () => {
      const { stat, readRange } = files
      const size = readRange === undefined ? undefined : (await stat?.(path))?.size
      if (readRange === undefined || size === undefined) {
        const bytes = await files.read(path)
        if (bytes === undefined) throw new Error("there is no such file")
        return readSafetensors(bytes, file).tensors
      }
      const end = safetensorsHeaderEnd(await readRange(path, 0, Math.min(size, 8)), size, file)
      const { entries } = safetensorsLayout(await readRange(path, 0, end), size, file)
      const tensors = new Map<string, Tensor>()
      for (const { name, type, dims, start, end } of entries) {
        tensors.set(name, fromBytes(type, dims, await readRange(path, start, end), name))
      }
      return tensors
    },
    catch: (error) => (isModelError(error) ? error : unreadable(file, error)),
  })
}
