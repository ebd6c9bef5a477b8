import type { Effect, Schema } from "effect"
import type { RunOptions } from "./RunEvent.ts"
import type { RunReport } from "./RunReport.ts"
import type { TrainSettings } from "./TrainSettings.ts"

/** When a setting that was given changes nothing. Words name settings by their keys, between backticks. */
export interface IdleRule<S> {
  /** Its key; `tiny.hidden` within a group. */
  readonly setting: string
  readonly when: (settings: S) => boolean
  /** Goes on after "has no effect". */
  readonly because: string
  readonly hint: string
}

/** Settings that are needed together, or exclude each other; in the same words. */
export interface Incomplete {
  readonly message: string
  /** The key that is wrong or missing. */
  readonly setting: string
  readonly expected?: string
  readonly found?: string
}

/** A command that trains, as an app hands it to a command line: `tandem NAME train`. */
export interface TrainApp<S extends TrainSettings> {
  readonly name: string
  readonly description: string
  readonly schema: Schema.Codec<S, unknown> & { readonly fields: Schema.Struct.Fields }
  readonly examples: readonly { readonly command: string; readonly description: string }[]
  readonly idle: readonly IdleRule<S>[]
  /** What is wrong with settings that are right one by one. */
  readonly incomplete: (settings: S) => Incomplete | undefined
  /** Loads what trains, which takes a while, when it is needed. */
  readonly load: () => Promise<(settings: S, options: RunOptions) => Effect.Effect<RunReport, unknown>>
  /** What lies where at the end: rows of a name and a path. */
  readonly outcome: (settings: S) => readonly (readonly [string, string])[]
}

/** Settings of every command that trains that change nothing without others. */
export const trainIdle: readonly IdleRule<TrainSettings>[] = [
  {
    setting: "saveAdapters",
    when: ({ lora, saveAdapters }) => saveAdapters && lora === undefined,
    because: "without `lora`: there are no adapters",
    hint: "leave it out, or train adapters with `lora`",
  },
]
