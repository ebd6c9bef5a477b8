import type { Tensor } from "@tandem/onnx"
import { trainingRows } from "@tandem/report"
import { Runtime } from "@tandem/runtime"
import { layer as nodeRuntime } from "@tandem/runtime/node/NodeRuntime"
import {
  adamW,
  type Batch,
  Checkpoints,
  type Live,
  lion,
  type Optimizer,
  stepsPerEpoch,
  type TrainEvent,
  type TrainResult,
  train,
  warmupSteps,
} from "@tandem/trainers"
import { layer as directoryCheckpoints } from "@tandem/trainers/node/DirectoryCheckpoints"
import { Effect, Fiber, Layer, Option } from "effect"
import { firstDifferentiated } from "../FirstProgram.ts"
import type { Measured } from "../Measured.ts"
import { groupsOf, withRates } from "../ParameterGroups.ts"
import type { RunOptions } from "../RunEvent.ts"
import { comparedWith, figuresOf } from "../RunFigures.ts"
import type { RunReport } from "../RunReport.ts"
import type { Measurement, RunServices, TrainPlan } from "../TrainPlan.ts"
import type { TrainSettings } from "../TrainSettings.ts"
import { measureBaselines } from "./Baselines.ts"
import { type MetricsFile, openMetrics, readMetrics } from "./MetricsFile.ts"
import { writeJson } from "./RunFiles.ts"
import { openRunFolder, runPaths } from "./RunFolder.ts"
import { changedSince, refuseOtherRun, runIdentity } from "./RunIdentity.ts"
import { saveAdapters } from "./SaveAdapters.ts"
import { measureVariants } from "./Variants.ts"
import { writeReport } from "./WriteReport.ts"

/** A command that trains. */
export interface TrainCommand<P, D, B extends Batch, E, F, G, R> {
  /** As a person types it: `dpr train`. */
  readonly command: string
  readonly settings: TrainSettings
  readonly options: RunOptions
  /** Reads data and models; the device starts meanwhile. */
  readonly prepare: Effect.Effect<P, F, R>
  /** What is trained, once the device is there: passages that the objective searches are encoded here. */
  readonly plan: (prepared: P) => Effect.Effect<TrainPlan<D, B, E>, G, RunServices>
}

/**
 * A training run from its settings to its report, in the run folder of docs/formats.md: opens the folder, reads data and
 * models, refuses what cannot be trained before anything is written, measures what there is to compare with, trains,
 * keeps the weights of the best evaluation (without evaluations, the last ones), saves models, and reports. A run that
 * was killed goes on exactly with `resume`.
 */
export const trainRun = <P, D, B extends Batch, E, F, G, R>(run: TrainCommand<P, D, B, E, F, G, R>) => {
  const { options, prepare } = run
  const settings = withRates(run.settings)
  const began = performance.now()
  const runtime =
    options.runtime ??
    nodeRuntime({
      device: settings.device,
      ...(settings.threads === undefined ? {} : { threads: settings.threads }),
    })
  const checkpoints = directoryCheckpoints(runPaths(settings.out).checkpoints)
  const prepared = Effect.andThen(openRunFolder(settings.out, settings.resume), prepare)
  // The device starts in a thread of its own while this one reads.
  return Effect.all([Layer.build(Layer.merge(runtime, checkpoints)), prepared], { concurrency: "unbounded" }).pipe(
    Effect.flatMap(([services, loaded]) =>
      Effect.provide(
        Effect.flatMap(run.plan(loaded), (plan) => runPlan({ ...run, settings }, plan, began)),
        services,
      ),
    ),
    Effect.scoped,
  )
}

const runPlan = Effect.fnUntraced(function* <D, B extends Batch, E>(
  {
    command,
    settings,
    options: { observe, stopRequested, repeats },
  }: Pick<TrainCommand<never, D, B, E, never, never, never>, "command" | "settings" | "options">,
  plan: TrainPlan<D, B, E>,
  began: number,
) {
  const paths = runPaths(settings.out)
  const { device } = yield* Runtime
  const warn = (messages: readonly string[]) =>
    Effect.forEach(messages, (message) => observe({ event: "warning", message }), { discard: true })
  const known = [...device.fallbacks, ...plan.warnings]
  yield* warn(known)
  const perEpoch = stepsPerEpoch(plan.objective.draftsPerEpoch, settings.accumulate)
  const steps = Math.min(settings.maxSteps ?? Number.POSITIVE_INFINITY, perEpoch * settings.epochs)
  // Hashing is other threads' work.
  const identifying = yield* Effect.forkChild(runIdentity(settings, plan.inputs, plan.versions))
  // What cannot be trained is refused before anything is written or measured.
  const { objective, adaptation } = yield* firstDifferentiated(plan, settings)
  const { update, learningRate } = yield* groupsOf(settings, objective)
  const identity = yield* Fiber.join(identifying)
  const { incidental } = plan.inputs
  const changed = repeats === undefined ? [] : yield* changedSince(repeats, settings, identity, incidental)
  yield* warn(changed)
  const warnings = [...known, ...changed]
  yield* refuseOtherRun(paths.config, settings, { fingerprint: identity.fingerprint, incidental })
  yield* writeJson(paths.config, {
    format: 1,
    command,
    settings,
    ...plan.facts,
    steps,
    device: { provider: device.provider, threads: device.threads },
    ...identity,
  })
  if (plan.begin !== undefined) yield* plan.begin
  const measurement = plan.measurement
  const systems =
    measurement === undefined
      ? undefined
      : yield* measureBaselines(measurement, { file: paths.baseline, resume: settings.resume, observe })

  let latest: { readonly step: number; readonly measured: Measured } | undefined
  const evaluation = measurement && {
    metric: measurement.metric,
    ...(measurement.better === undefined ? {} : { better: measurement.better }),
    run: Effect.fnUntraced(function* (live: Live) {
      const measure = measurement.measure(live)
      const measured = yield* adaptation === undefined ? measure : adaptation.whileMerged(live, measure)
      latest = { step: live.step, measured }
      return measured.metrics
    }),
  }
  let lastStep = 0
  const metrics = yield* openMetrics(paths.metrics, yield* resumeStep(settings))
  // What was seen before a run was stopped has been said; what is seen from here on may depend on it.
  if (plan.watch !== undefined && settings.resume) {
    for (const { values } of trainingRows(yield* readMetrics(paths.metrics)).steps) warnings.push(...plan.watch(values))
  }
  const emit = Effect.fnUntraced(function* (event: TrainEvent) {
    if (event.event === "step" || event.event === "resume") lastStep = event.step
    yield* record(metrics, event)
    yield* observe(event)
    const seen = event.event === "step" ? (plan.watch?.({ ...event.metrics, loss: event.loss }) ?? []) : []
    warnings.push(...seen)
    yield* warn(seen)
  })
  const report = (status: RunReport["status"], done: number, further: Partial<RunReport> = {}): RunReport => ({
    format: 1,
    command,
    status,
    steps: done,
    seconds: (performance.now() - began) / 1000,
    peakMemoryMiB: peakMemoryMiB(),
    device: `${device.provider}, ${device.threads} threads`,
    ...figuresOf(systems),
    ...further,
  })
  const write = (written: RunReport, after?: Measured) =>
    writeReport(settings.out, written, {
      statistics: plan.statistics,
      warnings,
      plannedSteps: steps,
      stepCharts: plan.stepCharts,
      page: measurement?.page,
      sections: systems === undefined ? [] : (measurement?.page?.sections?.({ ...systems, after }) ?? []),
    })
  const schedule = {
    kind: settings.schedule,
    learningRate,
    warmupSteps: warmupSteps(settings.warmup, steps),
    steps,
  }
  return yield* train(evaluation === undefined ? objective : { ...objective, evaluation }, {
    // From here on the models are run and saved with other weights than those that were read.
    handOver: true,
    schedule,
    ...update,
    optimizer: optimizers[settings.optimizer](),
    clip: settings.clip,
    accumulate: settings.accumulate,
    seed: settings.seed,
    fingerprint: identity.fingerprint,
    evaluateEverySteps: settings.evalEvery ?? perEpoch,
    ...(settings.patience === undefined ? {} : { patience: settings.patience }),
    saveEverySteps: settings.saveEvery,
    resume: settings.resume,
    emit,
    beforeSave: metrics.flush,
    ...(stopRequested === undefined ? {} : { stopRequested }),
  }).pipe(
    Effect.flatMap((result) =>
      Effect.gen(function* () {
        const { weights: trained, step } = keptOf(result)
        const weights = adaptation === undefined ? trained : yield* adaptation.merge(trained)
        const after = measurement && (yield* finalMeasure(measurement, latest, weights, step))
        yield* plan.save(weights, step, systems && { ...systems, after })
        if (adaptation !== undefined && settings.saveAdapters)
          yield* saveAdapters(settings.out, adaptation, trained, plan)
        const kept = { step, weights: Object.fromEntries(weights) }
        const found = measurement && (yield* measureVariants(measurement, kept, observe))
        const variants = found !== undefined && Object.keys(found).length > 0 ? { variants: found } : {}
        if (systems !== undefined && variants.variants !== undefined && plan.describe !== undefined)
          yield* plan.describe(step, { ...systems, after, ...variants })
        const completed = report("completed", result.steps, {
          savedStep: step,
          ...variants,
          ...(after === undefined || systems === undefined ? {} : comparedWith(systems, after)),
        })
        yield* write(completed, after)
        return completed
      }),
    ),
    Effect.tapError((error) => {
      const status = unfinished(error)
      return status === undefined ? Effect.void : write(report(status, lastStep))
    }),
  )
})

const optimizers: Readonly<Record<TrainSettings["optimizer"], () => Optimizer>> = { adamw: adamW, lion }

const keptOf = ({ best, last, steps }: TrainResult): { readonly weights: ReadonlyMap<string, Tensor>; step: number } =>
  best === undefined ? { weights: last, step: steps } : best

const finalMeasure = <E>(
  { measure }: Measurement<E>,
  latest: { readonly step: number; readonly measured: Measured } | undefined,
  weights: ReadonlyMap<string, Tensor>,
  step: number,
) => (latest?.step === step ? Effect.succeed(latest.measured) : measure({ step, weights: Object.fromEntries(weights) }))

const unfinished = (error: unknown): "interrupted" | "diverged" | undefined => {
  const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
  return tag === "TrainingDiverged" ? "diverged" : tag === "TrainingInterrupted" ? "interrupted" : undefined
}

/** The largest resident set of this process so far. */
export const peakMemoryMiB = (): number => Math.round(process.resourceUsage().maxRSS / 1024)

/** The step after which a run goes on. */
const resumeStep = Effect.fnUntraced(function* ({ resume }: TrainSettings) {
  if (!resume) return 0
  const last = Option.getOrUndefined(yield* (yield* Checkpoints).last)
  return last?.state.step ?? 0
})

/** Writes the row of an event that has one. */
const record = Effect.fnUntraced(function* (metrics: MetricsFile, event: TrainEvent) {
  if (event.event === "step") {
    const { step, epoch, loss, lr, gradNorm, examples, seconds, partNorms, metrics: numbers } = event
    const norms = Object.entries(partNorms).map(([part, norm]) => [`gradNorm/${part}`, norm] as const)
    yield* metrics.append({
      step,
      epoch,
      time: Date.now() / 1000,
      loss,
      lr,
      gradNorm,
      examples,
      seconds,
      ...Object.fromEntries(norms),
      ...numbers,
    })
  }
  if (event.event === "eval") {
    yield* metrics.append({ step: event.step, eval: event.metrics })
    yield* metrics.flush
  }
})
