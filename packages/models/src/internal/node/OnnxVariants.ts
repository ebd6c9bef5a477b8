import { bytesOf, type Graph, quantizeDynamic, type Tensor, toHalf, writeModel, writeModelExternal } from "@tandem/onnx"
import type { Content } from "./WriteDirectory.ts"

/** Precisions that a language model is saved in, by transformers.js' names. */
export type SavedType = "fp32" | "fp16" | "q8"

const suffixes: Readonly<Record<SavedType, string>> = { fp32: "", fp16: "_fp16", q8: "_quantized" }

/** Protobuf's limit is 2³¹ bytes; browsers dislike files that come near it. */
export const largestModel = 1.9e9

/** The files of a graph and, by file name, how many data files it has: what `use_external_data_format` says. */
export interface OnnxVariants {
  readonly files: readonly (readonly [path: string, content: Content])[]
  readonly external: Readonly<Record<string, number>>
}

const conversions: Readonly<Record<SavedType, (graph: Graph, isCache: (name: string) => boolean) => Graph>> = {
  fp32: (graph) => graph,
  fp16: (graph, isCache) => toHalf(graph, { ends: isCache }),
  q8: (graph) => quantizeDynamic(graph),
}

/** Whether a value carries keys or values of earlier tokens; they have 16 bits where the model has. */
const isCache = (name: string): boolean => /^(past_key_values|present)\./.test(name)

const sizeOf = (graph: Graph): number =>
  [...graph.initializers.values()].reduce(
    (sum, value: Tensor) => sum + (value.type === "string" ? 0 : bytesOf(value).byteLength),
    0,
  )

/**
 * The ONNX files of one graph in each of the precisions, `FOLDER/STEM{,_fp16,_quantized}.onnx`, with data files beside
 * those that would be larger than `largest` bytes. What is written is made when its turn comes.
 */
export const onnxVariants = (
  graph: Graph,
  stem: string,
  types: readonly SavedType[],
  largest = largestModel,
): OnnxVariants => {
  const files: (readonly [string, Content])[] = []
  const external: Record<string, number> = {}
  const size = sizeOf(graph)
  for (const type of types) {
    const path = `${stem}${suffixes[type]}.onnx`
    const name = path.slice(path.lastIndexOf("/") + 1)
    const make = (): Graph => conversions[type](graph, isCache)
    // A lower precision is never larger, so its size needs to be known only where the whole is too large
    if (size <= largest || (type !== "fp32" && sizeOf(make()) <= largest)) {
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
  if (types.includes("fp16")) settings["kv_cache_dtype"] = { fp16: "float16" }
  if (Object.keys(external).length > 0) settings["use_external_data_format"] = external
  return { ...rest, "transformers.js_config": settings }
}
