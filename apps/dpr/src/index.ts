export { RunFolderError, RunLockedError, SettingsError } from "./Errors.ts"
export { DprSettings } from "./Settings.ts"
export { type DprEvent, type DprOptions, trainDpr } from "./TrainDpr.ts"
export type { RunReport } from "./WriteReport.ts"
