import { CheckpointFailed, type StatePart } from "@tandem/trainers"
import { Effect, Schema } from "effect"

/** Passages found that distinct ones are counted among. */
const windowSize = 256

/** How different the passages are that were found last. */
export interface DistinctPassages {
  /** The share of different ones among the last 256, these included: near 0 where all questions find the same ones. */
  readonly share: (ids: readonly string[]) => number
  /** The window as a part of a checkpoint, so that a run that goes on counts what it would have counted. */
  readonly state: StatePart<CheckpointFailed, never>
}

const Remembered = Schema.Array(Schema.String)

/** Counts distinct passages over a window of searches. */
export const distinctPassages = (): DistinctPassages => {
  let recent: readonly string[] = []
  return {
    share: (ids) => {
      recent = [...recent, ...ids].slice(-windowSize)
      return recent.length === 0 ? 0 : new Set(recent).size / recent.length
    },
    state: {
      name: "found",
      save: Effect.sync(() => ({ json: recent, tensors: new Map() })),
      restore: Effect.fnUntraced(function* ({ json }) {
        const remembered = Schema.decodeUnknownOption(Remembered)(json)
        if (remembered._tag === "None") {
          return yield* new CheckpointFailed({
            message: "the checkpoint does not say which passages were found last",
            expected: "ids of passages",
            found: typeof json,
            hint: "begin again in another folder",
          })
        }
        recent = remembered.value
      }),
    },
  }
}
