import {
  type BlockOptions,
  bytesOf,
  type Graph,
  quantizeBlocks,
  quantizeDynamic,
  type Tensor,
  toHalf,
  writeModel,
  writeModelExternal,
} from "@tandem/onnx"
import type { Content } from "./WriteDirectory.ts"

/** Precisions that a language model is saved in, by transformers.js' names. */
export type SavedType = "fp32" | "fp16" | "q8" | "q4" | "q4f16"

/** Precisions whose activations, and keys and values of earlier tokens, have 16 bits. */
export const halfTypes: readonly SavedType[] = ["fp16", "q4f16"]

const suffixes: Readonly<Record<SavedType, string>> = {
  fp32: "",
  fp16: "_fp16",
  q8: "_quantized",
  q4: "_q4",
  q4f16: "_q4f16",
}

/** Protobuf's limit is 2³¹ bytes; browsers dislike files that come near it. */
export const largestModel = 1.9e9

/** The files of a graph and, by file name, how many data files it has: what `use_external_data_format` says. */
export interface OnnxVariants {
  readonly files: readonly (readonly [path: string, content: Content])[]
  readonly external: Readonly<Record<string, number>>
}

/** How weights of 4 bits are stored. */
export type FourBits = Omit<BlockOptions, "bits">

const conversions: Readonly<Record<SavedType, (graph: Graph, fourBits: FourBits) => Graph>> = {
  fp32: (graph) => graph,
  fp16: (graph) => toHalf(graph, { ends: isCache }),
  q8: (graph) => quantizeDynamic(graph),
  q4: (graph, fourBits) => quantizeBlocks(graph, fourBits),
  q4f16: (graph, fourBits) => toHalf(quantizeBlocks(graph, fourBits), { ends: isCache }),
}

/** Whether a value carries keys or values of earlier tokens; they have 16 bits where the model has. */
const isCache = (name: string): boolean => /^(past_key_values|present)\./.test(name)

const sizeOf = (graph: Graph): number =>
  [...graph.initializers.values()].reduce(
    (sum, value: Tensor) => sum + (value.type === "string" ? 0 : bytesOf(value).byteLength),
    0,
  )

export interface OnnxVariantsOptions {
  /** Files of more bytes keep their weights in data files; `largestModel` where absent. */
  readonly largest?: number | undefined
  readonly fourBits?: FourBits | undefined
}

/**
 * The ONNX files of one graph in each of the precisions, `FOLDER/STEM{,_fp16,_quantized,_q4,_q4f16}.onnx`, with data files
 * beside those that would be larger than `largest` bytes. What is written is made when its turn comes.
 */
export const onnxVariants = (
  graph: Graph,
  stem: string,
  types: readonly SavedType[],
  { largest = largestModel, fourBits = {} }: OnnxVariantsOptions = {},
): OnnxVariants => {
  const files: (readonly [string, Content])[] = []
  const external: Record<string, number> = {}
  const size = sizeOf(graph)
  for (const type of types) {
    const path = `${stem}${suffixes[type]}.onnx`
    const name = path.slice(path.lastIndexOf("/") + 1)
    const make = (): Graph => conversions[type](graph, fourBits)
    // A lower precision is hardly larger (that of an output layer that stays beside its blocks, a sixth of it), so its size
    // needs to be known only where the whole comes near the limit
    if (size <= (type === "q4" ? 0.8 : 1) * largest || (type !== "fp32" && sizeOf(make()) <= largest)) {
      files.push([path, { parts: () => [writeModel(make())] }])
      continue
    }
    const written = writeModelExternal(make(), { location: `${name}_data`, largestFile: largest })
    files.push([path, { bytes: written.model }])
    for (const [location, parts] of written.files) {
      files.push([`${path.slice(0, path.length - name.length)}${location}`, { parts: () => parts }])
    }
    external[name] = written.files.size
  }
  return { files, external }
}

/**
 * A config with the part that transformers.js reads: which files have data files, and the type of the cache where its
 * earlier versions cannot see it.
 */
export const withTransformersJs = (
  config: Readonly<Record<string, unknown>>,
  external: Readonly<Record<string, number>>,
  types: readonly SavedType[],
): Readonly<Record<string, unknown>> => {
  const { ["transformers.js_config"]: given, ...rest } = config
  const old = typeof given === "object" && given !== null ? given : {}
  const settings: Record<string, unknown> = { ...old }
  delete settings["use_external_data_format"]
  const half = halfTypes.filter((type) => types.includes(type))
  if (half.length > 0) settings["kv_cache_dtype"] = Object.fromEntries(half.map((type) => [type, "float16"]))
  if (Object.keys(external).length > 0) settings["use_external_data_format"] = external
  return { ...rest, "transformers.js_config": settings }
}
