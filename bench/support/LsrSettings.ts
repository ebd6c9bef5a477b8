import type { SideRuntimeSettings } from "./SideRuntime.ts"

/** What both of our sides of lsr-step are given. */
export interface LsrSettings extends SideRuntimeSettings {
  readonly model: string
  readonly encoder: string
  /** A file of JSON lines, each a list of questions. */
  readonly batches: string
  /** `cold`: scores are made in the step; `cached`: they are known. */
  readonly step: "cold" | "cached"
  /** Steps of one round. */
  readonly steps: number
  readonly temperatures: { readonly retriever: number; readonly teacher: number }
  readonly learningRate: number
}
