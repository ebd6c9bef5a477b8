import { perPart } from "@tandem/runs/PerPart"
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
} from "@tandem/runs/Setting"
import { Schema } from "effect"

/** Settings on data, for the schema of a command that trains on questions: see `trainFields` of `@tandem/runs`. */
export const dataFields = {
  data: neededSetting(Schema.Array(Schema.String), textsDoc("F", "training examples")),
  dev: settingWithDefault(
    Schema.Array(Schema.String),
    [],
    textsDoc("F", "evaluation examples", "nothing is evaluated"),
  ),
  corpus: optionalSetting(
    Schema.String,
    textDoc(
      "F|DIR",
      "passages, or a folder of documents, that the examples' ids speak of, and that evaluation searches",
      "those in the examples",
    ),
  ),
  format: optionalSetting(
    Schema.String,
    textDoc("NAME", "format of the examples, where their content leaves doubt", "by content"),
  ),
}

/** Sizes of a model without weights of its own. */
export const TinySizes = Schema.Struct({
  hidden: settingWithDefault(count, 128, countDoc("tiny: width")),
  layers: settingWithDefault(count, 2, countDoc("tiny: layers")),
  heads: settingWithDefault(count, 4, countDoc("tiny: attention heads")),
  intermediate: settingWithDefault(count, 512, countDoc("tiny: width of the feed-forward part")),
  vocabulary: settingWithDefault(count, 4000, countDoc("tiny: word pieces")),
})

/** Settings on the retriever that a command trains or uses. */
export const retrieverFields = {
  model: optionalSetting(
    Schema.String,
    textDoc("M", "one model for questions and passages: a folder, a hub id (ID@REVISION), tiny or tiny:SEED"),
  ),
  queryEncoder: optionalSetting(Schema.String, textDoc("M", "model that encodes questions")),
  passageEncoder: optionalSetting(Schema.String, textDoc("M", "model that encodes passages")),
  untied: settingWithDefault(Schema.Boolean, false, switchDoc("two encoders that start from the same model")),
  retriever: optionalSetting(Schema.String, textDoc("RUN|DIR", "start from the encoders of a finished run")),
  maxLength: optionalSetting(perPart(count), {
    kind: "by part",
    value: "N|PART=N",
    about: "longest text in tokens, of both sides or of query or passage",
    expected: "a whole number, 1 or more",
    otherwise: "the model's own, at most 256",
  }),
  similarity: optionalSetting(
    Schema.Literals(["dot", "cosine"]),
    choiceDoc(["dot", "cosine"], "how a question and a passage are compared", "as the model's own files say"),
  ),
  temperature: optionalSetting(
    positive,
    positiveDoc("divides similarities", "0.05 for cosine and vectors of unit length, else 1"),
  ),
  titles: optionalSetting(
    Schema.Literals(["pair", "prefix", "none"]),
    choiceDoc(["pair", "prefix", "none"], "how a passage's title is seen", "pair for DPR's models, else none"),
  ),
  tiny: settingGroup(TinySizes, "sizes of a tiny model"),
}

const RetrieverSettings = Schema.Struct(retrieverFields)
export type RetrieverSettings = typeof RetrieverSettings.Type
