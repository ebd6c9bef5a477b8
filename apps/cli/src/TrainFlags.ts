import type { DprSettings } from "@tandem/dpr"
import { Flag } from "effect/cli"

/** A flag that sets one key of the settings. */
export interface SettingFlag {
  readonly kind: "text" | "texts" | "number" | "number or text" | "boolean"
  /** What stands for the value in the help. */
  readonly value: string
  readonly about: string
  /** Legal values in words, for error messages. */
  readonly expected: string
}

/** What a command line says about a key; `undefined` where it says nothing. */
export type FlagValue = string | boolean | readonly string[] | undefined

const text = (value: string, about: string, expected = "a text"): SettingFlag => ({
  kind: "text",
  value,
  about,
  expected,
})
const texts = (value: string, about: string): SettingFlag => ({
  kind: "texts",
  value,
  about,
  expected: "a list of texts",
})
const yes = (about: string): SettingFlag => ({ kind: "boolean", value: "", about, expected: "true or false" })
const count = (about: string): SettingFlag => number(about, "a whole number, 1 or more", "N")
const number = (about: string, expected: string, value = "X"): SettingFlag => ({
  kind: "number",
  value,
  about,
  expected,
})

/** The flags of `tandem dpr train` by the key that each sets; a flag is its key in kebab case. */
export const trainFlags = {
  data: texts("F", "training examples; may be repeated"),
  dev: texts("F", "evaluation examples; may be repeated. Without any, nothing is evaluated"),
  corpus: text("F", "passages that the examples' ids speak of"),
  format: text("NAME", "format of the examples, where their content leaves doubt"),
  model: text("M", "one model for questions and passages: a folder, a hub id (ID@REVISION), tiny or tiny:SEED"),
  queryEncoder: text("M", "model that encodes questions"),
  passageEncoder: text("M", "model that encodes passages"),
  untied: yes("two encoders that start from the same model"),
  retriever: text("RUN|DIR", "start from the encoders of a finished run"),
  out: text("RUN", "the run folder"),
  negatives: text(
    "MODE",
    "where hard negatives come from: data (those that the examples bring, default), same-document, bm25, none",
    "data, same-document, bm25 or none",
  ),
  hardNegatives: number("hard negatives for each question (default 1)", "a whole number, 0 or more", "N"),
  epochs: count("times that all examples are seen (default 1)"),
  maxSteps: count("ends after so many optimizer steps"),
  batchSize: count("questions in a batch; the other questions' passages are negatives (default 16)"),
  accumulate: count("batches averaged into one optimizer step; adds no negatives (default 1)"),
  maxLength: count("longest text in tokens (default: the model's own, at most 256)"),
  lr: number("peak learning rate (default 2e-5)", "a number above 0"),
  warmup: number(
    "warm-up: a share of the steps, or a whole number of steps (default 0.1)",
    "a share from 0 to below 1, or a whole number of steps",
  ),
  schedule: text("KIND", "linear (default), cosine or constant", "linear, cosine or constant"),
  weightDecay: number("decay of weights, not of biases and norms (default 0.01)", "a number, 0 or more"),
  clip: number("largest norm of the gradient, 0 for no limit (default 1)", "a number, 0 or more"),
  dropout: {
    kind: "number or text",
    value: "model|X",
    about: "dropout rate, or that of the model's own config (default model)",
    expected: "model, or a number from 0 to below 1",
  },
  similarity: text("KIND", "dot or cosine (default: as the model's own files say)", "dot or cosine"),
  temperature: number("divides similarities (default 1 for dot, 0.05 for cosine)", "a number above 0"),
  symmetric: yes("passages choose among questions, too"),
  titles: text("KIND", "how a passage's title is seen: pair, prefix or none", "pair, prefix or none"),
  freeze: texts("PATTERN", "parameters that stay as they are; may be repeated"),
  seed: number("decides order, draws and dropout (default 0)", "a whole number, 0 or more", "N"),
  device: text("DEVICE", "cpu (default), webgpu, cuda or auto", "cpu, webgpu, cuda or auto"),
  threads: count("threads (default: one for each core)"),
  saveEvery: count("steps between checkpoints (default 500)"),
  evalEvery: count("steps between evaluations (default: an epoch)"),
  patience: count("evaluations without a better one after which training ends"),
  resume: yes("go on from the last checkpoint of --out"),
} satisfies Record<Exclude<keyof DprSettings, "tiny">, SettingFlag>

/** The flags that size a `tiny` model, by the key inside `tiny`. */
export const tinyFlags = {
  hidden: count("tiny: width (default 128)"),
  layers: count("tiny: layers (default 2)"),
  heads: count("tiny: attention heads (default 4)"),
  intermediate: count("tiny: width of the feed-forward part (default 512)"),
  vocabulary: count("tiny: word pieces (default 4000)"),
} satisfies Record<keyof NonNullable<DprSettings["tiny"]>, SettingFlag>

/** `batchSize` → `batch-size`. */
export const flagName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** The argument parser's flag: numbers stay text until the settings are decoded, so that one place words the errors. */
export const toFlag = (name: string, { kind, value, about }: SettingFlag): Flag.Flag<FlagValue> => {
  switch (kind) {
    case "boolean":
      return Flag.Boolean(name).pipe(Flag.withDescription(about), Flag.map(known), Flag.withDefault(undefined))
    case "texts":
      return Flag.String(name).pipe(
        Flag.withMetavar(value),
        Flag.withDescription(about),
        Flag.atLeast(0),
        Flag.map(some),
      )
    default:
      return Flag.String(name).pipe(
        Flag.withMetavar(value),
        Flag.withDescription(about),
        Flag.map(known),
        Flag.withDefault(undefined),
      )
  }
}

const known = (value: string | boolean): FlagValue => value
const some = (values: readonly string[]): FlagValue => (values.length === 0 ? undefined : values)
