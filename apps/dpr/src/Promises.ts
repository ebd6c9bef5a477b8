import { dataFields } from "@tandem/objectives/retrieval/RetrieverFields"
import {
  count,
  countDoc,
  decodeSettings,
  decodeTrainSettings,
  type GivenSettings,
  neededSetting,
  type Observe,
  type RunEvent,
  type RunReport,
  settingWithDefault,
  textDoc,
  textsDoc,
  trainFields,
} from "@tandem/runs"
import { TrainingInterrupted } from "@tandem/trainers"
import { Deferred, Effect, Schema } from "effect"
import { evaluateDpr } from "./EvaluateDpr.ts"
import { type FoundPassage, searchDpr } from "./SearchDpr.ts"
import type { DprSettings } from "./Settings.ts"
import { dprTrainApp } from "./TrainApp.ts"
import { trainDpr } from "./TrainDpr.ts"

/** How a call is watched. */
export interface WatchOptions {
  /** Hears of everything that happens, in order. What it throws ends the call, which rejects with it. */
  readonly onEvent?: (event: RunEvent) => void
}

/** How training is watched and stopped. */
export interface TrainOptions extends WatchOptions {
  /** Ends the run: see {@link train}. */
  readonly signal?: AbortSignal
}

/** Settings of {@link train}: those of `tandem dpr train`, in camel case. */
export type TrainInput = GivenSettings<typeof DprSettings.Encoded>

const runFields = {
  run: neededSetting(Schema.String, textDoc("RUN", "the folder of a finished run")),
  device: trainFields.device,
  threads: trainFields.threads,
}

const EvaluateSettings = Schema.Struct({
  ...runFields,
  data: dataFields.data,
  corpus: dataFields.corpus,
  format: dataFields.format,
})

const SearchSettings = Schema.Struct({
  ...runFields,
  questions: neededSetting(Schema.Array(Schema.String), textsDoc("Q", "questions")),
  k: settingWithDefault(count, 5, countDoc("passages for each question")),
})

/** Settings of {@link evaluate}. */
export type EvaluateInput = GivenSettings<typeof EvaluateSettings.Encoded>

/** Settings of {@link search}. */
export type SearchInput = GivenSettings<typeof SearchSettings.Encoded>

/**
 * Trains a dense passage retriever and leaves a run folder, as `tandem dpr train` does. Rejects with the tagged error
 * that the run ended in (`error._tag`); settings that are wrong reject with `SettingsError`, which names the key in `field`.
 *
 * An abort ends the run after the step in progress, writes a checkpoint, and rejects with `TrainingInterrupted`; before the
 * first step and after the last one it ends at once. `resume: true` goes on from there.
 *
 * @example
 * ```ts
 * import { train } from "@tandem/dpr/Promises"
 *
 * const never = await train({ data: "train.jsonl", model: "tiny", out: "run" }).catch((error) => error)
 * console.log(never._tag, never.file) // UnreadableFile train.jsonl
 * ```
 */
export const train = (input: TrainInput, { onEvent, signal }: TrainOptions = {}): Promise<RunReport> =>
  Effect.gen(function* () {
    const settings = yield* decodeTrainSettings(dprTrainApp, input)
    const run = yield* watched(onEvent)
    let [steps, stepping] = [0, false]
    const observe: Observe = (event) => {
      if (event.event === "resume" || event.event === "step") steps = event.step
      if (event.event === "step") stepping = true
      if (event.event === "done") {
        stepping = false
        if (signal?.aborted === true) endNow()
      }
      return run.observe(event)
    }
    let endNow = (): void => undefined
    const aborted = Effect.callback<never, TrainingInterrupted>((resume) => {
      const end = (): void => {
        if (!stepping) resume(Effect.suspend(() => Effect.fail(interruptedAfter(steps))))
      }
      endNow = end
      if (signal?.aborted === true) return end()
      signal?.addEventListener("abort", end)
      return Effect.sync(() => signal?.removeEventListener("abort", end))
    })
    const stopRequested = Effect.sync(() => signal?.aborted === true)
    const training = trainDpr(settings, { observe, stopRequested }).pipe(
      Effect.catchTag("TrainingInterrupted", ({ step }) => Effect.fail(interruptedAfter(step))),
    )
    return yield* run.ending(Effect.raceFirst(training, aborted))
  }).pipe(Effect.runPromise)

/**
 * Measures a finished run on examples, as `tandem dpr eval` does: figures by the names of docs/formats.md, and `n`.
 * Rejects with the tagged error that it ended in.
 */
export const evaluate = (
  input: EvaluateInput,
  { onEvent }: WatchOptions = {},
): Promise<Readonly<Record<string, number>>> =>
  Effect.gen(function* () {
    const settings = yield* decodeSettings(EvaluateSettings, input)
    const { observe, ending } = yield* watched(onEvent)
    return yield* ending(evaluateDpr(settings, { observe }))
  }).pipe(Effect.runPromise)

/**
 * Searches the index of a finished run: for each question, in order, the `k` best passages, best first. Rejects with the
 * tagged error that it ended in.
 */
export const search = (
  input: SearchInput,
  { onEvent }: WatchOptions = {},
): Promise<readonly (readonly FoundPassage[])[]> =>
  Effect.gen(function* () {
    const settings = yield* decodeSettings(SearchSettings, input)
    const { observe, ending } = yield* watched(onEvent)
    return yield* ending(searchDpr(settings, { observe }))
  }).pipe(Effect.runPromise)

/** What hears of events, and what ends an effect when the listener throws. */
const watched = Effect.fnUntraced(function* (onEvent: WatchOptions["onEvent"]) {
  const thrown = yield* Deferred.make<never>()
  const observe: Observe = (event) =>
    Effect.sync(() => onEvent?.(event)).pipe(Effect.catchDefect((defect) => Deferred.die(thrown, defect)))
  const ending = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.raceFirst(effect, Deferred.await(thrown))
  return { observe, ending }
})

const interruptedAfter = (step: number): TrainingInterrupted =>
  new TrainingInterrupted({
    message:
      step === 0 ? "training was interrupted before its first step" : `training was interrupted after step ${step}`,
    step,
    hint: "the same settings with resume: true go on from the last checkpoint",
  })
