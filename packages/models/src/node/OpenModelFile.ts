import { readdir, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { type Graph, InvalidModel, readModel, type Tensor } from "@tandem/onnx"
import { InvalidSafetensors, readSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import { InvalidEncoder, type ModelError } from "../Errors.ts"
import { isHubId } from "../files/HubId.ts"
import { attempt } from "../internal/Attempt.ts"
import { bytesAt, readJsonIfThere } from "../internal/node/Files.ts"
import { modelPath, regular } from "../internal/node/ModelPath.ts"
import { weightsGraph } from "../internal/node/WeightsGraph.ts"
import { reasonOf } from "../internal/Reading.ts"
import { fetchModel, type HubOptions } from "./Hub.ts"

/** A model's graph, whatever the architecture. */
export interface ModelFile {
  /** The ONNX file, or the safetensors file, or the index of several, around which the graph was built. */
  readonly file: string
  readonly graph: Graph
  /** `config.json` beside the file or a folder above it, where there is one. */
  readonly config: Readonly<Record<string, unknown>> | undefined
  /** Other ONNX models of the same folder. */
  readonly others: readonly string[]
}

/**
 * Opens the ONNX model that a text names: a file, a folder or a hub id. A folder's model is the one that transformers.js
 * would take: `onnx/model.onnx` or `model.onnx`, else a decoder, else an encoder, else the first other `.onnx` file.
 * Around weights without a graph one is built, where the architecture is known.
 *
 * Nothing that could be a model, and a file that is none, end in `InvalidModel`; weights of another architecture end in
 * `UnsupportedArchitecture`.
 */
export const openModelFile = Effect.fn("openModelFile")(function* (
  model: string,
  options: HubOptions = {},
): Effect.fn.Return<ModelFile, ModelError> {
  const kind = yield* kindOf(model)
  if (kind === "file") return yield* read(model, [], true)
  if (kind === undefined && (!isHubId(model) || model.endsWith(".onnx"))) {
    return yield* new InvalidModel({
      message: `there is no file or folder ${model}`,
      file: model,
      expected: "an ONNX file, a folder, or organisation/name[@revision]",
    })
  }
  const folder = kind === "folder" ? model : yield* fetchModel(model, { prefer: "onnx", ...options })
  const [file, ...others] = [...(yield* onnxFiles(folder))].sort((a, b) => rank(a) - rank(b))
  if (file !== undefined) return yield* read(join(folder, file), others)
  const built = yield* weightsGraph(folder)
  if (built !== undefined) return { ...built, config: yield* readJsonIfThere(folder, "config.json"), others: [] }
  const files = yield* list(folder)
  return yield* new InvalidModel({
    message: `${folder} holds no model`,
    file: folder,
    expected: "onnx/model.onnx, model.onnx or model.safetensors",
    found: files.length === 0 ? "an empty folder" : files.slice(0, 20).join(", "),
  })
})

/** The tensors of a safetensors file; one that cannot be read ends in `InvalidSafetensors`. */
export const readSafetensorsFile = Effect.fn("readSafetensorsFile")(function* (
  file: string,
): Effect.fn.Return<ReadonlyMap<string, Tensor>, ModelError> {
  const bytes = yield* Effect.try({
    try: () => bytesAt(regular(file)),
    catch: (error) => new InvalidSafetensors({ message: `${file} cannot be read: ${reasonOf(error)}`, file }),
  })
  return yield* attempt(() => readSafetensors(bytes, file).tensors)
})

const kindOf = (path: string): Effect.Effect<"file" | "folder" | undefined> =>
  Effect.promise(() =>
    stat(path).then(
      (found) => (found.isDirectory() ? "folder" : "file"),
      () => undefined,
    ),
  )

const list = (folder: string): Effect.Effect<readonly string[]> =>
  Effect.promise(() =>
    readdir(folder).then(
      (names) => names.toSorted(),
      () => [],
    ),
  )

const onnxFiles = (folder: string): Effect.Effect<readonly string[]> =>
  Effect.map(Effect.all([list(folder), list(join(folder, "onnx"))]), ([here, below]) =>
    [...below.map((name) => `onnx/${name}`), ...here].filter((name) => name.endsWith(".onnx")),
  )

const order = ["model", "decoder_model_merged", "decoder_model", "encoder_model"].flatMap((name) => [
  `onnx/${name}.onnx`,
  `${name}.onnx`,
])

const rank = (file: string): number => {
  const place = order.indexOf(file)
  return place < 0 ? order.length : place
}

/** Reads a file of a folder, or one that was named itself: that may be a link to anywhere. */
const read = Effect.fnUntraced(function* (file: string, others: readonly string[], isNamed = false) {
  const bytes = yield* Effect.try({
    try: () => bytesAt(isNamed ? regular(file) : modelPath(file)),
    catch: (error) => unreadableModel(file, file, error),
  })
  const graph = yield* attempt(() => readModel(bytes, { file, external: dataFiles(dirname(file)) }))
  const folder = dirname(file)
  const config =
    (yield* readJsonIfThere(folder, "config.json")) ?? (yield* readJsonIfThere(dirname(folder), "config.json"))
  return { file, graph, config, others }
})

/** Data files of a folder, each read once. */
const dataFiles = (folder: string): ((location: string) => Uint8Array) => {
  const known = new Map<string, Uint8Array>()
  return (location) => {
    const file = join(folder, location)
    try {
      const bytes = known.get(file) ?? bytesAt(modelPath(file))
      known.set(file, bytes)
      return bytes
    } catch (error) {
      throw unreadableModel(file, `the model's data file ${file}`, error)
    }
  }
}

const unreadableModel = (file: string, what: string, error: unknown): InvalidModel => {
  if (!(error instanceof InvalidEncoder)) {
    return new InvalidModel({ message: `${what} cannot be read: ${reasonOf(error)}`, file })
  }
  const { message, expected = "", found = "", hint = "" } = error
  return new InvalidModel({ message, file, expected, found, hint })
}
