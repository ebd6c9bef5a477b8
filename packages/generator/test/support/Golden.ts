import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { decoderConfig, type LanguageModel, pickDecoderWeights, weightsDecoder } from "@tandem/models"
import { loadLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import type { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { readSafetensors } from "@tandem/safetensors"
import { Effect, type Scope } from "effect"

export const goldenPath = (path: string): string =>
  fileURLToPath(new URL(`../../../../test/golden/${path}`, import.meta.url))

export const goldenJson = (path: string) => JSON.parse(readFileSync(goldenPath(path), "utf8"))

/** A tiny model of random weights with other ends of texts than its own; some have no tokenizer and get another's. */
export const goldenModel = Effect.fnUntraced(function* (name: string, endTokenIds: readonly number[]) {
  const folder = `${["t5", "bart"].includes(name) ? "seq2seq" : "decoders"}/${name}`
  const model: LanguageModel = existsSync(goldenPath(`${folder}/tokenizer.json`))
    ? yield* loadLanguageModel(goldenPath(folder))
    : yield* withTokenizerOf("llama", folder)
  return { ...model, endTokenIds }
})

const withTokenizerOf = Effect.fnUntraced(function* (other: string, folder: string) {
  const huggingFace = goldenJson(`${folder}/config.json`)
  const config = decoderConfig(huggingFace)
  const { tensors } = readSafetensors(new Uint8Array(readFileSync(goldenPath(`${folder}/model.safetensors`))))
  const tokenizer = yield* loadTokenizer(goldenPath(`decoders/${other}`))
  return weightsDecoder({ config, ...pickDecoderWeights(config, tensors), tokenizer, huggingFace })
})

export const onCpu = <A, E>(effect: Effect.Effect<A, E, Runtime | Scope.Scope>): Promise<A> =>
  effect.pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)
