import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import { readSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import { goldenBytes } from "../Golden.ts"
import { scratch } from "./Scratch.ts"
import type { Damage, Target } from "./Target.ts"
import { tensorReading, textOf } from "./Text.ts"

const headerEnd = (bytes: Uint8Array): number =>
  8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))

/**
 * What a damaged safetensors file may be read as: the format has no checksum. Numbers of the tensors that the damage lies
 * in may be others, which `partOf` names in the reading; a header that is still one may give a tensor another name, or another type or shape of as many bytes.
 */
export const tensorsPermit = (
  { at, end, inPlace, bytes, changed }: Damage,
  whole: Uint8Array,
  partOf = (name: string): string => `tensor ${name}`,
): string | undefined => {
  const start = headerEnd(whole)
  if (end <= start) return "a header of safetensors has no checksum: names, and types and shapes of as many bytes"
  if (!inPlace || bytes.length !== whole.length || at < start) return undefined
  const { tensors } = readSafetensors(whole)
  let place = start
  const touched = [...tensors].flatMap(([name, { data }]) => {
    const from = place
    place += ArrayBuffer.isView(data) ? data.byteLength : 0
    return at < place && end > from ? [partOf(name)] : []
  })
  return changed.every((part) => touched.includes(part))
    ? "numbers of safetensors have no checksum: those of the damaged tensor are others, and nothing else is"
    : undefined
}

const namesFile = (error: object, path: string): boolean => "file" in error && String(error.file).endsWith(path)

export const safetensorsTarget = (): Target => {
  const whole = goldenBytes("lora/bert/adapter_model.safetensors")
  return {
    name: "safetensors",
    files: new Map([["model.safetensors", whole]]),
    head: () => [0, headerEnd(whole)],
    read: async (files) => {
      const { tensors, metadata } = readSafetensors(files.get("model.safetensors")!, "model.safetensors")
      return { ...tensorReading(tensors), metadata: textOf(metadata) }
    },
    names: namesFile,
    permits: (damage) => tensorsPermit(damage, whole),
  }
}

const texts = ["the river flew", 'said "no", 1903.', "日本 é\u0301 🜁", "", " a  b "]

/** The files of a tokenizer, from a folder. */
export const tokenizerTarget = (golden: string): Target => {
  const files = new Map(
    ["tokenizer.json", "tokenizer_config.json"].map((name) => [name, goldenBytes(`${golden}/${name}`)] as const),
  )
  const folder = scratch()
  return {
    name: `the tokenizer ${golden}`,
    files,
    read: async (damaged) => {
      for (const [path, bytes] of damaged) writeFileSync(join(folder, path), bytes)
      const tokenizer = await Effect.runPromise(loadTokenizer(folder))
      const ids = texts.flatMap((text) => tokenizer.encode(text).ids)
      if (!ids.every((id) => Number.isSafeInteger(id) && id >= 0)) throw new Error(`ids ${ids}`)
      return {
        size: `${tokenizer.vocabularySize}`,
        padding: `${tokenizer.padTokenId}`,
        ids: ids.join(),
        texts: tokenizer.decode(ids),
      }
    },
    names: namesFile,
    permits: ({ bytes, path }) => {
      const same = textOf(jsonOf(bytes)) === textOf(jsonOf(files.get(path)!))
      return same ? undefined : "JSON has no checksum: what is another JSON value is another tokenizer"
    },
  }
}

const jsonOf = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes))
