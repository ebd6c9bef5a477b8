import { refreshFields } from "@tandem/objectives/joint/RefreshFields"
import { dataFields, retrieverFields } from "@tandem/objectives/retrieval/RetrieverFields"
import {
  choiceDoc,
  count,
  countDoc,
  neededSetting,
  notNegative,
  notNegativeDoc,
  optionalSetting,
  settingWithDefault,
  textDoc,
  textsDoc,
  whole,
  wholeDoc,
} from "@tandem/runs/Setting"
import { trainFields } from "@tandem/runs/TrainSettings"
import { Schema } from "effect"

const { untied: _, ...encoderFields } = retrieverFields

/**
 * Everything that decides a run of `tandem joint train`, by the names of its flags in camel case. A key that is absent and
 * has no default means "as the models or data say".
 */
export const JointSettings = Schema.Struct({
  ...dataFields,
  ...encoderFields,
  store: optionalSetting(
    Schema.String,
    textDoc("DIR", "an index that the passage encoder made, searched in place of the data's own passages"),
  ),
  generator: neededSetting(
    Schema.String,
    textDoc("M|RUN", "the language model: a folder, a hub id (ID@REVISION), a run that trained one, tiny or tiny:SEED"),
  ),
  loss: settingWithDefault(
    Schema.Literals(["rag-token", "rag-sequence"]),
    "rag-sequence",
    choiceDoc(["rag-token", "rag-sequence"], "each token from a passage of its own, or one passage for a whole answer"),
  ),
  renewEvery: optionalSetting(
    count,
    countDoc("rag-token searches again after every so many tokens of an answer", "passages are searched once"),
  ),
  labelSmoothing: settingWithDefault(Schema.Number.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThan(1)), 0, {
    kind: "number",
    value: "X",
    about: "share of probability for the whole vocabulary",
    expected: "a number from 0 to below 1",
  }),
  retrievalLossWeight: settingWithDefault(
    notNegative,
    0,
    notNegativeDoc("what finding the passages that the data say answer counts for, beside the answers' loss"),
  ),
  k: settingWithDefault(count, 5, countDoc("passages of a question in training")),
  kEval: optionalSetting(count, countDoc("passages of a question in evaluations", "as `k`")),
  ...refreshFields,
  overRetrieve: settingWithDefault(
    count,
    1,
    countDoc("times as many passages are found while the passage encoder trains, encoded anew, and the best taken"),
  ),
  template: optionalSetting(
    Schema.String,
    textDoc(
      "F",
      "text of prompts, with {query}, {context} and {response}",
      "the model's chat template, or a plain text",
    ),
  ),
  maxPrompt: optionalSetting(count, countDoc("longest prompt in tokens", "the model's own, at most 1,024")),
  maxAnswer: optionalSetting(
    count,
    countDoc("longest answer in tokens, its end included", "the generator's own, else 64"),
  ),
  passTokens: settingWithDefault(
    count,
    4096,
    countDoc("the generator's tokens of one pass: a batch of more is several, with the same gradient and less memory"),
  ),
  answers: settingWithDefault(whole, 100, wholeDoc("evaluation questions that answers are written for")),
  ...trainFields,
  batchSize: settingWithDefault(count, 8, countDoc("questions in a batch")),
  train: settingWithDefault(
    Schema.Array(Schema.String),
    ["query", "generator"],
    textsDoc("PART", "parts that are trained: query, generator, passage"),
  ),
})
export type JointSettings = typeof JointSettings.Type
