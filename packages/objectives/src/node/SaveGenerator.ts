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
import type { LanguageModel, PeftDescription } from "@tandem/models"
import { saveLanguageModel } from "@tandem/models/node/SaveLanguageModel"
import { type Tensor, takePart } from "@tandem/onnx"
import type { Observe } from "@tandem/runs"
import { readJson } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect } from "effect"
import { generatorPart } from "../generator/CallGenerator.ts"

/** Writes a trained generator into the run folder, and with it how it was asked, `generator/rag.json`. */
export const saveGenerator = Effect.fnUntraced(function* (options: {
  /** The run folder. */
  readonly run: string
  readonly model: LanguageModel
  /** Trained weights by joint name. */
  readonly trained: ReadonlyMap<string, Tensor>
  readonly prompt: RagPrompt
  readonly observe: Observe
}) {
  const { run, model, trained, prompt, observe } = options
  yield* observe({ event: "phase", name: "saving the model" })
  const { generator } = runPaths(run)
  const own = takePart(trained, generatorPart)
  const parameters = new Map([...model.parameters].map(([name, before]) => [name, own.get(name) ?? before]))
  yield* saveLanguageModel(generator, model, parameters, { beside: { [ragFile]: ragPromptJson(prompt) } })
})

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
