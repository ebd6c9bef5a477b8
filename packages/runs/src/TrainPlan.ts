import type { PeftDescription } from "@tandem/models"
import type { Tensor } from "@tandem/onnx"
import type { EvaluationChart, Section, StepChart } from "@tandem/report"
import type { Feed, Runtime } from "@tandem/runtime"
import type { Batch, Objective } from "@tandem/trainers"
import type { Effect, Scope } from "effect"
import type { Measured, Metrics } from "./Measured.ts"

/** What everything in a plan may need. */
export type RunServices = Runtime | Scope.Scope

/** A system's weights: those of a moment in training, or of its result. */
export interface Weights {
  /** Optimizer steps done. */
  readonly step: number
  /** By joint name; parameters that are absent are as the models brought them. */
  readonly weights: Readonly<Record<string, Feed>>
}

/** How a run is measured before, during and after training. */
export interface Measurement<E> {
  /** The figure that decides which weights are kept. */
  readonly metric: string
  readonly better?: "larger" | "smaller"
  readonly measure: (weights: Weights) => Effect.Effect<Measured, E, RunServices>
  /** What else is measured, once: BM25. */
  readonly baselines: Readonly<Record<string, Effect.Effect<Measured, E, RunServices>>>
  /**
   * The result in other forms that are saved with it, such as weights of 8 bits: measured once at the end, on the CPU, which
   * every form runs on.
   */
  readonly variants?: Readonly<Record<string, (weights: Weights) => Effect.Effect<Measured, E, RunServices>>>
  readonly page?: MeasurementPage
}

/** What the report's page shows of measurements. */
export interface MeasurementPage {
  /** Figures that the title may tell, the best one first. */
  readonly headline?: readonly string[]
  /** Which figures of evaluations share a chart. */
  readonly charts?: readonly EvaluationChart[]
  /** What baselines are called, where it is not their name. */
  readonly names?: Readonly<Record<string, string>>
  /** Sections of its own, such as questions with what each system found. */
  readonly sections?: (systems: Systems) => readonly Section[]
}

/** What was measured so far. */
export interface Systems {
  readonly before: Measured
  readonly after?: Measured | undefined
  readonly baselines: Readonly<Record<string, Measured>>
  /** Figures of the result in other forms; absent until they are measured, which is after saving. */
  readonly variants?: Readonly<Record<string, Metrics>>
}

/** What decides a run's steps beside its settings. */
export interface RunInputs<E> {
  /** Files and folders of data. */
  readonly files: readonly string[]
  /** Fingerprints of the models that it starts from, by part. */
  readonly models: Effect.Effect<Readonly<Record<string, string>>, E, RunServices>
  /** Anything else that JSON can hold: what models and data decided where settings were silent. */
  readonly resolved: unknown
  /** Settings of the command's own that do not touch the sequence of steps. */
  readonly incidental?: readonly string[]
}

/**
 * What a command brings to a run: the objective, how it is measured, and what is saved at the end. A run brings the rest:
 * folder, identity, baselines, checkpoints, metrics, resuming, report.
 */
export interface TrainPlan<D, B extends Batch, E> {
  readonly objective: Omit<Objective<D, B, E, RunServices>, "trainable" | "evaluation">
  /**
   * A batch such as the run will make: with it what cannot be trained is refused before anything is written. Where absent,
   * the first draft is completed with the weights that the models brought.
   */
  readonly example?: Effect.Effect<B, E, RunServices>
  /** Absent where there is nothing to measure with. */
  readonly measurement?: Measurement<E> | undefined
  readonly inputs: RunInputs<E>
  /** Called before anything is measured, once it is certain that the folder is this run's: keeps what the plan has found. */
  readonly begin?: Effect.Effect<void, E, RunServices>
  /** Further entries of `config.json`. */
  readonly facts: Readonly<Record<string, unknown>>
  /** Versions beside the run's own. */
  readonly versions: Readonly<Record<string, string>>
  /** Counts of the data, for the report. */
  readonly statistics: unknown
  readonly warnings: readonly string[]
  /** Hears the numbers of each step; what it says is a warning, at once and in the report. */
  readonly watch?: (numbers: Readonly<Record<string, number>>) => readonly string[]
  /** What is written into the files of adapters that are saved by themselves, by part. */
  readonly adapters?: Readonly<Record<string, PeftDescription>>
  /** Numbers of steps that the report draws beside loss, rate and gradients. */
  readonly stepCharts?: readonly StepChart[]
  /**
   * Saves models and what is made with them; `trained` holds the kept weights by joint name. `systems` is what was measured,
   * `after` included; undefined where nothing was.
   */
  readonly save: (
    trained: ReadonlyMap<string, Tensor>,
    step: number,
    systems: Systems | undefined,
  ) => Effect.Effect<void, E, RunServices>
  /** Says beside the saved models what their other forms score; called where `systems.variants` was measured. */
  readonly describe?: (step: number, systems: Systems) => Effect.Effect<void, E, RunServices>
}
