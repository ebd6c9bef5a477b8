// What tasks that only a working trainer solves are made of: files of invented words, two models with random weights for these,
// and a reader that copies.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { RaltSettings, trainRalt } from "@tandem/dual"
import { tinyDecoder, tinyEncoder, wordPieceFiles } from "@tandem/models"
import { saveEncoder } from "@tandem/models/node/SaveEncoder"
import { saveLanguageModel } from "@tandem/models/node/SaveLanguageModel"
import { elementCount, float32 } from "@tandem/onnx"
import type { RunEvent, TrainPlan } from "@tandem/runs"
import type { Batch, Program } from "@tandem/trainers"
import { Effect, Schema } from "effect"

/** Files of a task, and the folders of its untrained models. */
export interface TaskWorld {
  readonly folder: string
  readonly train: string
  readonly dev: string
  readonly corpus: string
  readonly reader: { readonly data: string }
  readonly template: string
  readonly encoder: string
  readonly decoder: string
}

/** `PREFIX0`, `PREFIX1`, … */
export const words = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)

/** Writes a file of JSON Lines. */
export const writeRows = (folder: string, name: string, rows: readonly unknown[]): string => {
  const file = join(folder, name)
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
  return file
}

/** What the models of a task begin as. */
export interface TaskModels {
  readonly seed: number
  /** Width of the encoder. */
  readonly hidden: number
  /**
   * Whether the embedding of the segment, one and the same for all tokens of all texts, begins at zero instead of as random
   * as the others: it makes all texts alike, so that a random encoder tells less between them.
   */
  readonly plainSegments?: boolean
}

const vocabularyOf = (words: readonly string[]) =>
  wordPieceFiles(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words], { lowerCase: true, maxLength: 64 })

/** What a task's reader begins as. */
export interface TaskDecoder {
  readonly seed: number
  readonly layers: number
  /** Text of its prompts. */
  readonly template: string
}

/** Saves a decoder with random weights for a vocabulary of whole words, and a template for prompts. */
export const saveTaskDecoder = async (
  folder: string,
  { seed, layers, template: text }: TaskDecoder,
  vocabularyWords: readonly string[],
): Promise<Pick<TaskWorld, "template" | "decoder">> => {
  const [template, decoder] = [join(folder, "template.txt"), join(folder, "decoder")]
  writeFileSync(template, text)
  const shape = { seed, vocabulary: vocabularyOf(vocabularyWords), layers, heads: 4 }
  await Effect.runPromise(
    saveLanguageModel(decoder, tinyDecoder({ ...shape, hidden: 64, intermediate: 192, maxLength: 64 })),
  )
  return { template, decoder }
}

/** Saves an encoder and a decoder with random weights for a vocabulary of whole words, and a template for prompts. */
export const saveTaskModels = async (
  folder: string,
  { seed, hidden, plainSegments = false }: TaskModels,
  vocabularyWords: readonly string[],
): Promise<Pick<TaskWorld, "template" | "encoder" | "decoder">> => {
  const encoder = join(folder, "encoder")
  const shape = { seed, vocabulary: vocabularyOf(vocabularyWords), layers: 1, heads: 4 }
  const random = tinyEncoder({ ...shape, hidden, intermediate: 4 * hidden, maxLength: 32 })
  const segments = "embeddings.token_type_embeddings.weight"
  const { dims } = random.parameters.get(segments)!
  const plain = float32(dims, new Float32Array(elementCount(dims)))
  const parameters = plainSegments ? new Map([...random.parameters, [segments, plain]]) : random.parameters
  await Effect.runPromise(saveEncoder(encoder, { ...random, parameters }))
  const template = "{query} ctx {context} ans {response}"
  return { encoder, ...(await saveTaskDecoder(folder, { seed, layers: 1, template }, vocabularyWords)) }
}

/** What the runs of a task have in common. */
export const common = { threads: 1, warmup: 0.1, schedule: "linear", maxAnswer: 4, maxPrompt: 40 }

/** A reader that copies values out of the passages of its data; answers with the folder of its run. */
export const trainTaskReader = async (
  world: Pick<TaskWorld, "folder" | "reader" | "decoder" | "template">,
  steps: number,
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> => {
  const out = join(world.folder, "reader")
  const settings = Schema.decodeUnknownSync(RaltSettings)({
    ...{ ...common, data: [world.reader.data], passages: "data", generator: world.decoder, template: world.template },
    ...{ k: 1, batchSize: 64, maxSteps: steps, lr: 3e-3, saveEvery: steps, out },
    ...more,
  })
  await Effect.runPromise(trainRalt(settings, { observe: () => Effect.void }))
  return out
}

/** What a run of the task may be told beside its settings. */
export interface TaskOptions {
  readonly observe?: (event: RunEvent) => void
  /** A fault that is planted into every program. */
  readonly plant?: (program: Program) => Program
}

/** A plan with a fault in every program. */
export const planted =
  (plant: (program: Program) => Program) =>
  <D, B extends Batch, E>(plan: TrainPlan<D, B, E>): TrainPlan<D, B, E> => ({
    ...plan,
    objective: { ...plan.objective, program: (batch) => Effect.map(plan.objective.program(batch), plant) },
  })
