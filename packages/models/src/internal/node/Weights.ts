import { join } from "node:path"
import { fromBytes, type Tensor } from "@tandem/onnx"
import { InvalidSafetensors, safetensorsHeaderEnd, safetensorsLayout } from "@tandem/safetensors"
import { Effect } from "effect"
import { isModelError, type ModelError } from "../../Errors.ts"
import { isSafePath } from "../../files/HubId.ts"
import { isRecord } from "../Record.ts"
import { exists, readJson, unreadable, withFile } from "./Files.ts"

/** The names under which Hugging Face keeps weights: one file, or the index of several. */
const single = "model.safetensors"
const index = "model.safetensors.index.json"

/** The tensors of a checkpoint and the file, or the index of files, that they stand in. */
export interface Weights {
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly file: string
}

/** The file of a directory that says where its safetensors weights are, or undefined where it has none. */
export const findWeights = Effect.fnUntraced(function* (directory: string) {
  for (const name of [single, index]) if (yield* exists(join(directory, name))) return join(directory, name)
  return undefined
})

/**
 * The weights of a directory, from `model.safetensors` or from the files that `model.safetensors.index.json` lists;
 * undefined where it has neither. Files that are missing or contradict the index end in an error.
 */
export const readWeights = Effect.fnUntraced(function* (
  directory: string,
): Effect.fn.Return<Weights | undefined, ModelError> {
  const file = yield* findWeights(directory)
  if (file === undefined) return undefined
  if (!file.endsWith(".index.json")) return { tensors: yield* readOne(file), file }
  const map = (yield* readJson(file))["weight_map"]
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
    for (const [key, value] of yield* readOne(join(directory, name))) tensors.set(key, value)
  }
  const lost = places.find(([name]) => !tensors.has(name))
  if (lost !== undefined) {
    return yield* new InvalidSafetensors({
      message: `${String(lost[1])} lacks the tensor ${lost[0]} that ${file} places there`,
      file: join(directory, String(lost[1])),
      tensor: lost[0],
    })
  }
  return { tensors, file }
})

/** Each tensor is read into memory of its own, so that it can be handed on and forgotten without the others. */
const readOne = (file: string): Effect.Effect<ReadonlyMap<string, Tensor>, ModelError> =>
  Effect.tryPromise({
    try: () =>
      withFile(file, async ({ read, size }) => {
        const end = safetensorsHeaderEnd(await read(0, Math.min(size, 8)), size, file)
        const { entries } = safetensorsLayout(await read(0, end), size, file)
        const tensors = new Map<string, Tensor>()
        for (const { name, type, dims, start, end } of entries) {
          tensors.set(name, fromBytes(type, dims, await read(start, end), name))
        }
        return tensors
      }),
    catch: (error) => (isModelError(error) ? error : unreadable(file, error)),
  })
