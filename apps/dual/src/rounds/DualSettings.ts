import { dataFields } from "@tandem/objectives/retrieval/RetrieverFields"
import {
  choiceDoc,
  count,
  countDoc,
  neededSetting,
  optionalSetting,
  positive,
  positiveDoc,
  settingGroup,
  settingWithDefault,
  textDoc,
  textsDoc,
  whole,
  wholeDoc,
} from "@tandem/runs/Setting"
import { trainFields } from "@tandem/runs/TrainSettings"
import { Schema } from "effect"
import { promptFields } from "../Settings.ts"

const { out, seed, device, threads, resume, lora } = trainFields
const halfFields = {
  epochs: optionalSetting(count, countDoc("times that all examples are seen in a round", "1")),
  maxSteps: optionalSetting(count, countDoc("ends a round after so many steps")),
  batchSize: optionalSetting(count, countDoc("questions in a batch", "8 for the reader, 16 for the retriever")),
  lr: optionalSetting(positive, positiveDoc("peak learning rate", "2e-5, with LoRA 2e-4")),
}

/** What the reader's half of a round is told. */
const ReaderHalf = Schema.Struct({ ...halfFields, lora })

/** What the retriever's half of a round is told. */
const RetrieverHalf = Schema.Struct({
  ...halfFields,
  k: optionalSetting(count, countDoc("candidates of a question", "as `k`, at least 2")),
  candidates: optionalSetting(
    Schema.Literals(["fixed", "renewed"]),
    choiceDoc(["fixed", "renewed"], "passages found once a round, or anew at each step", "fixed"),
  ),
  direction: optionalSetting(
    Schema.Literals(["retriever-lm", "lm-retriever"]),
    choiceDoc(["retriever-lm", "lm-retriever"], "which divergence: of the first from the second", "retriever-lm"),
  ),
  lmTemperature: optionalSetting(positive, positiveDoc("divides the reader's scores", "1")),
})

/** Everything that decides `tandem dual train`, by the names of its flags in camel case. */
export const DualSettings = Schema.Struct({
  data: dataFields.data,
  dev: neededSetting(Schema.Array(Schema.String), textsDoc("F", "evaluation examples")),
  corpus: dataFields.corpus,
  format: dataFields.format,
  retriever: neededSetting(
    Schema.String,
    textDoc("RUN", "the run whose trained retriever the first round begins with"),
  ),
  generator: neededSetting(
    Schema.String,
    textDoc("M|RUN", "the language model that it begins with: a folder, a hub id (ID@REVISION), a run"),
  ),
  rounds: settingWithDefault(count, 1, countDoc("times that the reader and then the retriever are trained")),
  k: settingWithDefault(count, 5, countDoc("passages of a question in training and evaluation")),
  ...promptFields,
  answers: settingWithDefault(whole, 100, wholeDoc("evaluation questions that answers are written for")),
  ralt: settingGroup(ReaderHalf, "the reader's half"),
  lsr: settingGroup(RetrieverHalf, "the retriever's half"),
  out,
  seed,
  device,
  threads,
  resume,
})
export type DualSettings = typeof DualSettings.Type
