import { dataFields, TinySizes } from "@tandem/objectives/retrieval/RetrieverFields"
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
  switchDoc,
  textDoc,
  textsDoc,
  whole,
  wholeDoc,
} from "@tandem/runs/Setting"
import { trainFields } from "@tandem/runs/TrainSettings"
import { Schema } from "effect"

const share = Schema.Number.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThanOrEqualTo(1))
const shareDoc = (about: string) => ({ kind: "number", value: "X", about, expected: "a number from 0 to 1" }) as const

/** Settings on where the passages of questions come from. */
export const passageFields = {
  passages: optionalSetting(
    Schema.Literals(["bm25", "retriever", "data"]),
    choiceDoc(
      ["bm25", "retriever", "data"],
      "what finds passages; data: those that the examples name",
      "retriever where one is named, else bm25",
    ),
  ),
  retriever: optionalSetting(Schema.String, textDoc("RUN", "the run whose trained retriever finds passages")),
  store: optionalSetting(
    Schema.String,
    textDoc("DIR", "the index that it searches", "the run's own; not with `corpus`"),
  ),
}

/** Settings on how a generator is asked. */
export const promptFields = {
  template: optionalSetting(
    Schema.String,
    textDoc(
      "F",
      "text of prompts, with {query}, {context} and {response}",
      "as the generator was trained, else the model's chat template, or a plain text",
    ),
  ),
  maxPrompt: optionalSetting(
    count,
    countDoc("longest prompt in tokens", "as the generator was trained, else the model's own, at most 1,024"),
  ),
  maxAnswer: optionalSetting(
    count,
    countDoc("longest answer in tokens, its end included", "as the generator was trained, else 64"),
  ),
}

/**
 * Everything that decides a run of `tandem ralt train`, by the names of its flags in camel case. A key that is absent and
 * has no default means "as the model or data say".
 */
export const RaltSettings = Schema.Struct({
  ...dataFields,
  data: neededSetting(
    Schema.Array(Schema.String),
    textsDoc("F", "questions with answers, conversations, texts in segments, or a file of instruction sets"),
  ),
  ...passageFields,
  generator: neededSetting(
    Schema.String,
    textDoc("M|RUN", "the language model: a folder, a hub id (ID@REVISION), a run that trained one, tiny or tiny:SEED"),
  ),
  quantize: optionalSetting(Schema.Literals([4, 8]), {
    kind: "number",
    value: "4|8",
    about: "freeze the weights of a decoder's products in so many bits and train adapters over them (QLoRA)",
    expected: "4 or 8",
  }),
  tiny: settingGroup(TinySizes, "sizes of a tiny model"),
  k: settingWithDefault(count, 5, countDoc("passages of a question in training, each an example of its own")),
  kEval: optionalSetting(count, countDoc("passages in one prompt of an evaluation", "as `k`")),
  ...promptFields,
  reduction: settingWithDefault(
    Schema.Literals(["token", "example", "sum"]),
    "token",
    choiceDoc(["token", "example", "sum"], "what the loss of a batch is a mean of; sum: of nothing"),
  ),
  trainOnPrompt: settingWithDefault(Schema.Boolean, false, switchDoc("train on the prompts' tokens, too")),
  weights: settingWithDefault(
    Schema.Literals(["none", "retriever"]),
    "none",
    choiceDoc(["none", "retriever"], "what a passage's example counts for; retriever: softmax of the scores"),
  ),
  weightTemperature: optionalSetting(
    positive,
    positiveDoc("divides scores before that softmax", "the retriever's own, else 1"),
  ),
  closedBookShare: settingWithDefault(share, 0, shareDoc("share of examples without any passage")),
  passagesPerPrompt: settingWithDefault(
    count,
    1,
    countDoc("passages in one context: the gold one, or the best, among others that were found, in drawn order"),
  ),
  distractorShare: settingWithDefault(share, 1, shareDoc("share of examples that have so many; others have one")),
  passTokens: settingWithDefault(
    count,
    4096,
    countDoc("tokens of one pass: a batch of more is several, with the same gradient and less memory"),
  ),
  answers: settingWithDefault(whole, 100, wholeDoc("evaluation questions that answers are written for")),
  ...trainFields,
  batchSize: settingWithDefault(count, 8, countDoc("questions in a batch")),
})
export type RaltSettings = typeof RaltSettings.Type
