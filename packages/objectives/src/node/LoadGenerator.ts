import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { type LanguageModel, tinyDecoder, trainWordPiece } from "@tandem/models"
import { openLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import { bytesOf } from "@tandem/onnx"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Schema } from "effect"
import { TinySizes } from "../retrieval/RetrieverFields.ts"
import type { FromNothing } from "./LoadTowers.ts"

/** A language model, and the folder that it came from where it is one. */
export interface LoadedGenerator {
  readonly model: LanguageModel
  readonly folder: string | undefined
  /** Whether a run trained it. */
  readonly isRun: boolean
}

/** A generator by its name: a folder, a hub id, a run that trained one, or `tiny`, random weights for the run's own texts. */
export const loadGenerator = Effect.fnUntraced(function* (
  name: string,
  { seed, texts }: Pick<FromNothing, "seed" | "texts">,
  sizes: typeof TinySizes.Encoded = {},
) {
  const tiny = /^tiny(?::(\d+))?$/.exec(name)
  if (tiny !== null) {
    const { vocabulary: pieces, ...rest } = Schema.decodeSync(TinySizes)(sizes)
    const vocabulary = trainWordPiece(texts(), { vocabularySize: pieces })
    const model: LanguageModel = tinyDecoder({
      seed: Number(tiny[1] ?? seed),
      vocabulary,
      ...rest,
      maxLength: tinyLength,
    })
    return { model, folder: undefined, isRun: false } satisfies LoadedGenerator
  }
  return yield* openGeneratorFolder(name)
})

/** A generator that there is: a folder, a hub id, or a run that trained one. */
export const openGeneratorFolder = Effect.fnUntraced(function* (name: string) {
  const { generator } = runPaths(name)
  const isRun = existsSync(join(generator, "config.json"))
  const folder = isRun ? generator : name
  return { model: yield* openLanguageModel(folder), folder, isRun } satisfies LoadedGenerator
})

/** Longest sequence of a tiny model. */
const tinyLength = 512

/** Names everything that decides what a language model says: SHA-256 over config, tokenizer, weights and fixed tensors. */
export const generatorFingerprint = (model: LanguageModel): string => {
  const hash = createHash("sha256")
  const buffers = model.kind === "seq2seq" ? [...model.buffers] : []
  const { source, parameters } = model
  const frozen =
    source.kind === "onnx"
      ? [...source.graph.initializers].filter(([name]) => !parameters.has(name))
      : model.kind === "decoder"
        ? [...model.frozen]
        : []
  hash.update(JSON.stringify([source.huggingFace, model.tokenizer.files]))
  for (const [name, value] of [...parameters, ...buffers, ...frozen].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(JSON.stringify([name, value.type, value.dims])).update(bytesOf(value))
  }
  return hash.digest("hex")
}
