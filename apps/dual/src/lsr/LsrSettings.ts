import { refreshFields } from "@tandem/objectives/joint/RefreshFields"
import { dataFields, retrieverFields } from "@tandem/objectives/retrieval/RetrieverFields"
import {
  choiceDoc,
  count,
  countDoc,
  notNegative,
  notNegativeDoc,
  optionalSetting,
  positive,
  positiveDoc,
  settingWithDefault,
  textDoc,
  textsDoc,
  whole,
  wholeDoc,
} from "@tandem/runs/Setting"
import { trainFields } from "@tandem/runs/TrainSettings"
import { Schema } from "effect"
import { promptFields } from "../Settings.ts"

const { untied: _, temperature: __, ...encoderFields } = retrieverFields

/** Settings on what is searched and who says which passages help. */
export const teacherFields = {
  ...encoderFields,
  store: optionalSetting(
    Schema.String,
    textDoc("DIR", "an index that the passage encoder made, searched in place of the data's own passages"),
  ),
  generator: optionalSetting(
    Schema.String,
    textDoc(
      "M|RUN|URL",
      "the teacher: a folder, a hub id (ID@REVISION), a run that trained a generator, or an endpoint with log-probabilities",
    ),
  ),
  remoteModel: optionalSetting(Schema.String, textDoc("NAME", "the teacher's name at its endpoint")),
  server: optionalSetting(
    Schema.Literals(["openai", "vllm", "llama.cpp"]),
    choiceDoc(["openai", "vllm", "llama.cpp"], "what answers at the endpoint", "openai"),
  ),
  endOfText: optionalSetting(
    Schema.String,
    textDoc("TEXT", "what ends answers of a teacher at an endpoint; an empty text leaves the end out"),
  ),
  ...promptFields,
  k: settingWithDefault(count, 5, countDoc("candidates of a question")),
  scoreCache: optionalSetting(
    Schema.String,
    textDoc("F", "where the teacher's scores are kept, for other runs as well", "in the run folder"),
  ),
}

/** Everything that decides a run of `tandem lsr train`, by the names of its flags in camel case. */
export const LsrSettings = Schema.Struct({
  ...dataFields,
  ...teacherFields,
  scores: optionalSetting(
    Schema.String,
    textDoc("F", "scores that a teacher gave before: trains without one, on the file's candidates"),
  ),
  candidates: settingWithDefault(
    Schema.Literals(["fixed", "renewed"]),
    "fixed",
    choiceDoc(["fixed", "renewed"], "passages found once, before training, or anew with the weights of each step"),
  ),
  loss: settingWithDefault(
    Schema.Literals(["lsr", "pdist", "emdr2", "loop", "distillation", "margin-mse"]),
    "lsr",
    choiceDoc(
      ["lsr", "pdist", "emdr2", "loop", "distillation", "margin-mse"],
      "what brings the retriever's scores and the teacher's together; the last two learn from scores of other models",
    ),
  ),
  preset: optionalSetting(
    Schema.Literals(["paper", "fedrag", "replug", "ra-dit"]),
    choiceDoc(["paper", "fedrag", "replug", "ra-dit"], "direction, score and temperatures that others publish"),
  ),
  direction: optionalSetting(
    Schema.Literals(["retriever-lm", "lm-retriever"]),
    choiceDoc(
      ["retriever-lm", "lm-retriever"],
      "which divergence: of the first from the second",
      "the preset's, else retriever-lm; of distillation lm-retriever",
    ),
  ),
  score: optionalSetting(
    Schema.Literals(["prob", "logprob", "meanLogprob"]),
    choiceDoc(
      ["prob", "logprob", "meanLogprob"],
      "what a passage scores: the answer's probability, its logarithm, or the mean of that over tokens",
      "the preset's, else meanLogprob",
    ),
  ),
  temperature: optionalSetting(
    positive,
    positiveDoc("divides similarities", "the preset's, else 0.05 for cosine and vectors of unit length, else 1"),
  ),
  lmTemperature: optionalSetting(positive, positiveDoc("divides the teacher's scores", "the preset's, else 1")),
  flatBelow: settingWithDefault(
    notNegative,
    1e-5,
    notNegativeDoc("questions whose target lacks less of the uniform one's entropy do not train, nats"),
  ),
  ...refreshFields,
  likelihoods: settingWithDefault(
    whole,
    300,
    wholeDoc("evaluation questions whose answers the teacher scores with the best passage"),
  ),
  ...trainFields,
  train: settingWithDefault(
    Schema.Array(Schema.String),
    ["query"],
    textsDoc("PART", "parts that are trained: query, passage"),
  ),
})
export type LsrSettings = typeof LsrSettings.Type
