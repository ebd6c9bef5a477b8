import { existsSync } from "node:fs"
import { join } from "node:path"
import {
  chatTemplateOf,
  defaultChat,
  defaultTemplate,
  InvalidTemplate,
  type RagPrompt,
  ragPromptJson,
  readRagPrompt,
} from "@tandem/generator"
import type { Decoder, LanguageModel, PeftDescription } from "@tandem/models"
import { everyType, type SaveDecoderOptions } from "@tandem/models/node/SaveDecoder"
import { saveLanguageModel } from "@tandem/models/node/SaveLanguageModel"
import { type Tensor, takePart } from "@tandem/onnx"
import type { Observe } from "@tandem/runs"
import { readJson } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect } from "effect"
import { type AdapterShape, mergedIntoFloats } from "../generator/BesideAdapters.ts"
import { generatorPart } from "../generator/CallGenerator.ts"

/** Writes a trained generator into the run folder, and with it how it was asked, `generator/rag.json`. */
export const saveGenerator = Effect.fnUntraced(function* (options: {
  /** The run folder. */
  readonly run: string
  readonly model: LanguageModel
  /** Trained weights by joint name. */
  readonly trained: ReadonlyMap<string, Tensor>
  /** How its adapters are shaped, where some are over weights of few bits and stay beside them. */
  readonly adapters?: AdapterShape
  readonly prompt: RagPrompt
  readonly observe: Observe
}) {
  const { run, model, trained, adapters, prompt, observe } = options
  yield* observe({ event: "phase", name: "saving the model" })
  const { generator } = runPaths(run)
  const own = takePart(trained, generatorPart)
  const beside = { [ragFile]: ragPromptJson(prompt) }
  if (model.kind === "decoder" && model.quantized !== undefined && adapters !== undefined) {
    const whole = yield* mergedIntoFloats(model, own, adapters)
    const types = [...everyType, ...fourBits(model)]
    return yield* saveLanguageModel(generator, whole.model, whole.parameters, { types, beside })
  }
  const parameters = new Map([...model.parameters].map(([name, before]) => [name, own.get(name) ?? before]))
  yield* saveLanguageModel(generator, model, parameters, { beside })
})

/** The files of 4 bits, of a model that was trained so. */
const fourBits = ({ quantized }: Decoder): readonly SavedType[] =>
  [...(quantized?.blocks.values() ?? [])].some(({ bits }) => bits === 4) ? ["q4", "q4f16"] : []

type SavedType = NonNullable<SaveDecoderOptions["types"]>[number]

const ragFile = "rag.json"

/** How a generator's folder says that it is asked; undefined where it does not. A damaged one ends in `InvalidTemplate`. */
export const savedPrompt = Effect.fnUntraced(function* (folder: string) {
  const file = join(folder, ragFile)
  if (!existsSync(file)) return undefined
  const json = yield* readJson(file)
  return yield* attempt(() => readRagPrompt(json, file))
})

const attempt = <A>(body: () => A): Effect.Effect<A, InvalidTemplate> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (cause) {
      return cause instanceof InvalidTemplate ? Effect.fail(cause) : Effect.die(cause)
    }
  })

/** The template where nobody names one: a conversation, for models that have a layout of such. */
export const usualTemplate = ({ tokenizer }: LanguageModel) =>
  chatTemplateOf(tokenizer) === undefined ? defaultTemplate : defaultChat

/** What a generator's adapters are to PEFT. */
export const peftDescription = (model: LanguageModel, name: string): PeftDescription => ({
  taskType: model.kind === "decoder" ? "CAUSAL_LM" : "SEQ_2_SEQ_LM",
  baseModel: name,
  fanInFanOut: model.kind === "decoder" && model.config?.family === "gpt2",
})
