import { dataFields } from "@tandem/objectives/retrieval/RetrieverFields"
import { neededSetting, settingWithDefault, textDoc, whole, wholeDoc } from "@tandem/runs/Setting"
import { trainFields } from "@tandem/runs/TrainSettings"
import { Schema } from "effect"
import { teacherFields } from "./LsrSettings.ts"

const { data, corpus, format } = dataFields
const { device, threads } = trainFields

/** Everything that decides what `tandem lsr score` writes, by the names of its flags in camel case. */
export const ScoreSettings = Schema.Struct({
  data,
  corpus,
  format,
  ...teacherFields,
  out: neededSetting(Schema.String, textDoc("FILE", "the file to write")),
  seed: settingWithDefault(whole, 0, wholeDoc("decides what tiny models begin with")),
  device,
  threads,
})
export type ScoreSettings = typeof ScoreSettings.Type
