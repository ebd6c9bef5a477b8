export { decodeSettings, decodeTrainSettings, type GivenSettings, type SettingsSchema } from "./DecodeSettings.ts"
export { InvalidRunError, RunFolderError, RunLockedError, SettingsError } from "./Errors.ts"
export { loraFor, type PartLora } from "./LoraSetting.ts"
export { differences, intervals, type Measured, type Metrics } from "./Measured.ts"
export { groupsOf, type PartRates, withRates } from "./ParameterGroups.ts"
export { allParts, type PerPart, partsNamed, perPart, valueFor } from "./PerPart.ts"
export { type Observe, progressTo, type RunEvent, type RunOptions } from "./RunEvent.ts"
export type { RunReport } from "./RunReport.ts"
export {
  choiceDoc,
  count,
  countDoc,
  defaultText,
  flagName,
  type KnownSetting,
  neededSetting,
  notNegative,
  notNegativeDoc,
  optionalSetting,
  positive,
  positiveDoc,
  type SettingDoc,
  settingGroup,
  settingsOf,
  settingWithDefault,
  switchDoc,
  textDoc,
  textsDoc,
  whole,
  wholeDoc,
} from "./Setting.ts"
export { type IdleRule, type Incomplete, type TrainApp, trainIdle } from "./TrainApp.ts"
export type { Measurement, MeasurementPage, RunInputs, RunServices, Systems, TrainPlan, Weights } from "./TrainPlan.ts"
export { TrainSettings, trainFields } from "./TrainSettings.ts"
