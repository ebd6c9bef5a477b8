export type { DataStatistics, Example, RetrievalData } from "./Example.ts"
export { documentOf, type Passage } from "./Passage.ts"
export { Random, type RandomState } from "./Random.ts"
