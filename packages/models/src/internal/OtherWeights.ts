import type { ReadFiles } from "@tandem/files"
import { Effect } from "effect"

/** What an error says of a directory whose weights cannot be read. */
export interface OtherWeights {
  readonly found: string
  readonly hint?: string
}

/** Ends of the names that exporters give to files of lower precision. */
const lowPrecision = /_(quantized|u?int8|q8|q4|q4f16|bnb4|fp16|half|qint8\w*|quint8\w*)\.onnx$/

const namesIn = (files: ReadFiles, folder: string): Effect.Effect<readonly string[]> =>
  Effect.promise(async () => {
    const names = (await files.list?.(folder).catch(() => [])) ?? []
    return names.filter((name) => !name.endsWith("/"))
  })

/** The weights that a folder holds in other formats than are read, or in too low a precision to be trained. */
export const otherWeights = Effect.fnUntraced(function* (files: ReadFiles): Effect.fn.Return<OtherWeights> {
  const here = yield* namesIn(files, "")
  const below = (yield* namesIn(files, "onnx")).map((name) => `onnx/${name}`)
  const exports = [...below, ...here].filter((name) => name.endsWith(".onnx"))
  const low = exports.filter((name) => lowPrecision.test(name))
  if (low.length > 0 && low.length === exports.length) {
    return {
      found: `${low.join(", ")}: a lower precision alone`,
      hint: "take the full-precision export, onnx/model.onnx, or the model's safetensors; a lower one cannot be trained",
    }
  }
  const pickled = here.filter((name) => /^(pytorch_model.*\.bin|tf_model\.h5|flax_model\.msgpack)$/.test(name))
  if (pickled.length > 0) {
    return { found: pickled.join(", "), hint: "save the model again as safetensors, or export it to ONNX" }
  }
  if (exports.length > 0) return { found: exports.join(", "), hint: "the model's file has to be onnx/model.onnx" }
  return { found: "none of them" }
})
