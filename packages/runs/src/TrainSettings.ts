import { Schema } from "effect"
import { loraDoc, loraSchema } from "./LoraSetting.ts"
import { perPart } from "./PerPart.ts"
import {
  choiceDoc,
  count,
  countDoc,
  neededSetting,
  notNegative,
  notNegativeDoc,
  optionalSetting,
  positive,
  settingWithDefault,
  switchDoc,
  textDoc,
  textsDoc,
  whole,
  wholeDoc,
} from "./Setting.ts"

/**
 * Settings of every command that trains: fields for the schema of one. A command line, a settings file, the table of
 * flags in docs/formats.md and `config.json` know them by these names and defaults.
 */
export const trainFields = {
  out: neededSetting(Schema.String, textDoc("RUN", "the run folder")),
  epochs: settingWithDefault(count, 1, countDoc("times that all examples are seen")),
  maxSteps: optionalSetting(count, countDoc("ends after so many optimizer steps")),
  batchSize: settingWithDefault(count, 16, countDoc("questions in a batch")),
  accumulate: settingWithDefault(count, 1, countDoc("batches averaged into one optimizer step; adds no negatives")),
  lr: optionalSetting(perPart(positive), {
    kind: "by part",
    value: "X|PART=X",
    about: "peak learning rate, of all parts or of one",
    expected: "a number above 0",
    otherwise: "2e-5, with LoRA 2e-4",
  }),
  lora: optionalSetting(loraSchema, loraDoc),
  saveAdapters: settingWithDefault(
    Schema.Boolean,
    false,
    switchDoc("also save LoRA adapters by themselves, as PEFT does; the saved models have them in their weights"),
  ),
  warmup: settingWithDefault(
    notNegative.check(Schema.makeFilter((value) => value < 1 || Number.isInteger(value))),
    0.1,
    {
      kind: "number",
      value: "X",
      about: "warm-up: a share of the steps, or a whole number of steps",
      expected: "a share from 0 to below 1, or a whole number of steps",
    },
  ),
  schedule: settingWithDefault(
    Schema.Literals(["linear", "cosine", "constant"]),
    "linear",
    choiceDoc(["linear", "cosine", "constant"], "how the learning rate falls"),
  ),
  optimizer: settingWithDefault(
    Schema.Literals(["adamw", "lion"]),
    "adamw",
    choiceDoc(["adamw", "lion"], "how gradients become updates"),
  ),
  weightDecay: settingWithDefault(perPart(notNegative), 0.01, {
    kind: "by part",
    value: "X|PART=X",
    about: "decay of weights, not of biases and norms, of all parts or of one",
    expected: "a number, 0 or more",
  }),
  clip: settingWithDefault(notNegative, 1, notNegativeDoc("largest norm of the gradient, 0 for no limit")),
  dropout: settingWithDefault(
    Schema.Union([
      Schema.Literal("model"),
      Schema.Number.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThan(1)),
    ]),
    "model",
    {
      kind: "number or text",
      value: "model|X",
      about: "dropout rate, or that of the model's own config",
      expected: "model, or a number from 0 to below 1",
    },
  ),
  recompute: settingWithDefault(
    Schema.Boolean,
    false,
    switchDoc(
      "compute most results once more where gradients need them: less than half the memory, up to half more time",
    ),
  ),
  train: optionalSetting(Schema.Array(Schema.String), textsDoc("PART", "parts that are trained", "all of them")),
  freeze: settingWithDefault(
    Schema.Array(Schema.String),
    [],
    textsDoc("PART|PATTERN", "parameters that stay as they are: a part, or a pattern for names"),
  ),
  seed: settingWithDefault(whole, 0, wholeDoc("decides order, draws and dropout")),
  device: settingWithDefault(
    Schema.Literals(["cpu", "webgpu", "cuda", "auto"]),
    "cpu",
    choiceDoc(["cpu", "webgpu", "cuda", "auto"], "where models run; only auto falls back, and says so"),
  ),
  threads: optionalSetting(count, countDoc("threads", "one for each core")),
  saveEvery: settingWithDefault(count, 500, countDoc("steps between checkpoints")),
  evalEvery: optionalSetting(count, countDoc("steps between evaluations", "an epoch")),
  patience: optionalSetting(count, countDoc("evaluations without a better one after which training ends")),
  resume: settingWithDefault(Schema.Boolean, false, switchDoc("go on from the last checkpoint of the run folder")),
}

/** Settings of every command that trains. */
export const TrainSettings = Schema.Struct(trainFields)
export type TrainSettings = typeof TrainSettings.Type
