// The texts of the benchmarks of encoding and tokenizing, as both sides read them.
import { readFileSync } from "node:fs"

/** What both sides of bench/tokenization.ts are given. */
export interface TextSettings {
  /** A folder with the model. */
  readonly model: string
  /** A file of JSON lines, each a text. */
  readonly texts: string
  /** Texts of a round. */
  readonly part: number
  readonly maxLength: number
  readonly threads: number
}

/** What both sides of bench/corpus-encoding.ts are given. */
export interface CorpusEncodingSettings extends TextSettings {
  readonly format: "weights" | "onnx"
  readonly batchSize: number
  /** Texts whose embeddings are compared. */
  readonly compared: number
  /** What the peer runs on, and for ONNX which of its files. */
  readonly backend: "torch" | "onnx"
  readonly precision: "fp32" | "q8"
}

/** The rounds' texts, one part after the other. */
export const readTexts = ({ texts, part }: TextSettings): readonly (readonly string[])[] => {
  const all: readonly string[] = readFileSync(texts, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
  return Array.from({ length: Math.floor(all.length / part) }, (_, index) =>
    all.slice(index * part, (index + 1) * part),
  )
}
