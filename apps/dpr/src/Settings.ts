import { dataFields, retrieverFields } from "@tandem/objectives/retrieval/RetrieverFields"
import { choiceDoc, settingWithDefault, switchDoc, whole, wholeDoc } from "@tandem/runs/Setting"
import { trainFields } from "@tandem/runs/TrainSettings"
import { Schema } from "effect"

/**
 * Everything that decides a run of `tandem dpr train`, by the names of its flags in camel case. A key that is absent and
 * has no default means "as the model or data say".
 */
export const DprSettings = Schema.Struct({
  ...dataFields,
  ...retrieverFields,
  negatives: settingWithDefault(
    Schema.Literals(["data", "same-document", "bm25", "none"]),
    "data",
    choiceDoc(["data", "same-document", "bm25", "none"], "where hard negatives come from; data: those of the examples"),
  ),
  hardNegatives: settingWithDefault(whole, 1, wholeDoc("hard negatives for each question")),
  symmetric: settingWithDefault(Schema.Boolean, false, switchDoc("passages choose among questions, too")),
  noIndex: settingWithDefault(Schema.Boolean, false, switchDoc("write no index of the corpus at the end")),
  ...trainFields,
})
export type DprSettings = typeof DprSettings.Type
