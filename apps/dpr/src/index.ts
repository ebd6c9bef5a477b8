export { type EvaluateDprSettings, evaluateDpr } from "./EvaluateDpr.ts"
export { type FoundPassage, type SearchDprSettings, searchDpr } from "./SearchDpr.ts"
export { DprSettings } from "./Settings.ts"
export { trainDpr } from "./TrainDpr.ts"
