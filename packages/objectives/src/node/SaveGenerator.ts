import { type RagPrompt, ragPromptJson } from "@tandem/generator"
import type { Decoder, LanguageModel, PeftDescription } from "@tandem/models"
import { everyType, type SaveDecoderOptions } from "@tandem/models/node/SaveDecoder"
import { saveLanguageModel } from "@tandem/models/node/SaveLanguageModel"
import { type Tensor, takePart } from "@tandem/onnx"
import type { Observe } from "@tandem/runs"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect } from "effect"
import { type AdapterShape, mergedIntoFloats } from "../generator/BesideAdapters.ts"
import { generatorPart } from "../generator/CallGenerator.ts"
import { ragFile } from "../generator/ReadGenerator.ts"

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

/** What a generator's adapters are to PEFT. */
export const peftDescription = (model: LanguageModel, name: string): PeftDescription => ({
  taskType: model.kind === "decoder" ? "CAUSAL_LM" : "SEQ_2_SEQ_LM",
  baseModel: name,
  fanInFanOut: model.kind === "decoder" && model.config?.family === "gpt2",
})
