import { copyFile, mkdir, readdir } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { InvalidRunError } from "@tandem/runs/Errors"

/** Precisions that a run's models are exported in. */
export type ExportType = "q8" | "fp32" | "q4"

/** The ONNX file of each, as transformers.js names it. */
const onnxFiles: Readonly<Record<ExportType, string>> = {
  q8: "model_quantized.onnx",
  fp32: "model.onnx",
  q4: "model_q4.onnx",
}

/** What is neither a weight nor for people. */
const isSetting = (path: string): boolean => /\.(json|txt|model|jinja)$/.test(path) && !/\.index\.json$/.test(path)

/**
 * Copies what a model's folder needs to run in one precision: settings, tokenizer, and one file of weights, which becomes
 * `onnx/model.onnx`. An encoder-decoder, which has several, keeps its weights as they are.
 */
export const copyModel = async (from: string, to: string, type: ExportType): Promise<void> => {
  const names = (await readdir(from, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(from.length + 1)
        .replaceAll("\\", "/"),
    )
  const weights = weightsOf(from, names, type)
  for (const name of [...names.filter(isSetting), ...Object.keys(weights)]) {
    const target = join(to, weights[name] ?? name)
    await mkdir(dirname(target), { recursive: true })
    await copyFile(join(from, name), target)
  }
}

/** Files of weights by where they lie, and where they go. */
const weightsOf = (from: string, names: readonly string[], type: ExportType): Readonly<Record<string, string>> => {
  const whole = names.filter((name) => /^[^/]*\.safetensors(\.index\.json)?$/.test(name))
  const isDecoderAlone = !names.some((name) => /encoder_model/.test(name))
  if (whole.length > 0 && (type === "fp32" || !isDecoderAlone))
    return Object.fromEntries(whole.map((name) => [name, name]))
  const file = names.find((name) => basename(name) === onnxFiles[type])
  const data = names.filter((name) => file !== undefined && name.startsWith(`${file}_data`))
  if (file === undefined || (data.length > 0 && type !== "fp32")) {
    const known = Object.entries(onnxFiles).filter(([, onnx]) => names.some((name) => basename(name) === onnx))
    throw new InvalidRunError({
      message:
        file === undefined
          ? `a model of the run was not saved in ${type}`
          : `a model of the run is too large for ${type} in one file`,
      file: from,
      field: "dtype",
      expected: onnxFiles[type],
      found: known.map(([name]) => name).join(", "),
      hint: "choose a `dtype` that is there",
    })
  }
  const place = type === "fp32" ? file : "onnx/model.onnx"
  return Object.fromEntries([[file, place], ...data.map((name) => [name, name])])
}
