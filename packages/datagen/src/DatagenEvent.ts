import type { Effect } from "effect"
import type { RejectingStage } from "./Item.ts"

/** What a pipeline made. */
export interface DatagenSummary {
  readonly chunks: number
  /** Chunks that are fit for questions. */
  readonly suitable: number
  /** Conversations that passed every check, by whether the true chunk was shown. */
  readonly success: number
  readonly failed: number
  readonly rejected: number
  /** Rows for training. */
  readonly rows: number
  /** Of all replies that the data are made of, those of earlier runs included. */
  readonly tokens: { readonly input: number; readonly output: number }
  /** What they cost. */
  readonly cost: number
}

/** What happens in a pipeline. */
export type DatagenEvent =
  /** A stage goes on: `done` of `total`, so much `spent` of the budget's money so far. */
  | {
      readonly event: "phase"
      readonly name: string
      readonly done?: number
      readonly total?: number
      readonly spent?: number
    }
  | { readonly event: "warning"; readonly message: string }
  | {
      readonly event: "rejected"
      readonly stage: RejectingStage
      readonly key: string
      readonly source: string
      readonly reason: string
    }
  | ({ readonly event: "done" } & DatagenSummary)

/** Hears of everything that happens. */
export type ObserveDatagen = (event: DatagenEvent) => Effect.Effect<void>
