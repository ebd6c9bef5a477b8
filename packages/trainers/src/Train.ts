import type { Tensor } from "@tandem/onnx"
import { type Buffer, type CompileFailed, type RunFailed, Runtime } from "@tandem/runtime"
import { Effect, Fiber, Option, type Scope } from "effect"
import { type AdamW, kernels } from "./AdamW.ts"
import { Checkpoints, type TrainState } from "./Checkpoint.ts"
import { CheckpointFailed, InvalidSettings, TrainingDiverged, TrainingInterrupted } from "./Errors.ts"
import { optimize } from "./Optimize.ts"
import type { Batch, Program } from "./Program.ts"
import { makeProgramCache } from "./ProgramCache.ts"
import { learningRateAt, type Schedule } from "./Schedule.ts"
import { type ResidentState, residentState, snapshot } from "./TrainState.ts"
import type { DifferentiationError, TrainStep } from "./TrainStep.ts"

/** What happens during training, in order. */
export type TrainEvent =
  | {
      readonly event: "step"
      /** Optimizer steps done, this one included. */
      readonly step: number
      readonly epoch: number
      readonly loss: number
      readonly lr: number
      /** Global norm of the gradient before clipping. */
      readonly gradNorm: number
      readonly examples: number
      /** Seconds that the step took. */
      readonly seconds: number
      /** Other scalar outputs of the program and statistics of its batches, averaged over the step's batches. */
      readonly metrics: Readonly<Record<string, number>>
    }
  | { readonly event: "eval"; readonly step: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly event: "checkpoint"; readonly step: number; readonly best: boolean }
  | { readonly event: "compile"; readonly key: string; readonly seconds: number; readonly fallbacks: readonly string[] }
  | { readonly event: "resume"; readonly step: number }
  | { readonly event: "done"; readonly step: number; readonly reason: "completed" | "early stop" }

/** Options of `train`. `E` and `R` are what batches, programs and evaluation can fail with and need, `O` what observers fail with. */
export interface TrainOptions<B extends Batch, E, R, O> {
  /** All parameters of the program by name. */
  readonly parameters: ReadonlyMap<string, Tensor>
  /** Names of those that are trained. */
  readonly trainable: readonly string[]
  /**
   * The trained parameters' first values are not needed any more: where they have memory of their own it goes to the
   * runtime, and their tensors are empty afterwards.
   */
  readonly handOver?: boolean
  /** The `index`-th batch of the run, from 0: a function of the index alone, so that a run can go on anywhere. */
  readonly batch: (index: number) => Effect.Effect<B, E, R>
  /** The program for batches of that shape; asked once for each key while it stays in the cache. */
  readonly program: (batch: B) => Effect.Effect<Program, E, R>
  readonly schedule: Schedule
  readonly stepsPerEpoch: number
  readonly optimizer: AdamW
  /** Batches whose gradients are averaged into one optimizer step. It does not add in-batch negatives. */
  readonly accumulate?: number
  readonly seed: number
  /** Identity of the run: a checkpoint with another one is refused. */
  readonly fingerprint: string
  readonly evaluate?: {
    readonly everySteps: number
    readonly run: (weights: Readonly<Record<string, Buffer>>) => Effect.Effect<Readonly<Record<string, number>>, E, R>
    /** Name of the metric, larger is better, that decides which checkpoint is the best. */
    readonly metric: string
    /** Stops after so many evaluations without a better one. */
    readonly patience?: number
  }
  readonly saveEverySteps: number
  readonly resume: boolean
  /** Called in order with everything that happens; a checkpoint is written only after earlier events were taken. */
  readonly emit: (event: TrainEvent) => Effect.Effect<void, O>
  /** Makes everything durable that a checkpoint presupposes, such as the rows of its steps. */
  readonly beforeSave?: Effect.Effect<void, O>
  /** Asked after every step; true ends the run with a checkpoint and `TrainingInterrupted`. */
  readonly stopRequested?: Effect.Effect<boolean>
  /** Compiled programs that may be alive at once; 16 where absent. Those that wait take little memory. */
  readonly programs?: number
}

/** What `train` leaves behind. */
export interface TrainResult {
  readonly steps: number
  readonly reason: "completed" | "early stop"
  /** Trained parameters after the last step. */
  readonly last: ReadonlyMap<string, Tensor>
  /** Trained parameters of the best evaluation, its step and value; absent without evaluation. */
  readonly best:
    | { readonly step: number; readonly value: number; readonly weights: ReadonlyMap<string, Tensor> }
    | undefined
}

type TrainFailure =
  | CompileFailed
  | RunFailed
  | CheckpointFailed
  | InvalidSettings
  | TrainingDiverged
  | TrainingInterrupted
  | DifferentiationError

/**
 * The training loop: for every optimizer step, forward and backward passes over its batches, clipping by the global
 * norm of the averaged gradient, one AdamW update at the scheduled rate.
 *
 * A run is a function of its options: batches and dropout masks follow from seed and step, so a run that was killed
 * and resumed from its last checkpoint continues the same sequence of losses, bit for bit where the runtime's thread
 * count is the same. A loss or gradient that is not finite ends in `TrainingDiverged` before any weight is touched.
 */
export const train = Effect.fnUntraced(function* <B extends Batch, E, R, O>(
  options: TrainOptions<B, E, R, O>,
): Effect.fn.Return<TrainResult, E | O | TrainFailure, R | Runtime | Checkpoints | Scope.Scope> {
  const { schedule, accumulate = 1, seed } = options
  const checkpoints = yield* Checkpoints
  const restored = options.resume ? Option.getOrUndefined(yield* checkpoints.last) : undefined
  if (restored !== undefined && restored.state.fingerprint !== options.fingerprint) {
    return yield* new InvalidSettings({
      message: "the checkpoint belongs to a run with other settings, model or data",
      expected: options.fingerprint,
      found: restored.state.fingerprint,
      hint: "resume with the settings that the run was started with",
    })
  }
  const state = yield* residentState(options.parameters, options.trainable, accumulate > 1, restored, options.handOver)
  const compiled = yield* makeProgramCache(options.programs ?? 16, state)
  let progress: TrainState = restored?.state ?? {
    format: 1,
    step: 0,
    fingerprint: options.fingerprint,
    best: null,
    stale: 0,
  }
  if (restored !== undefined) yield* options.emit({ event: "resume", step: progress.step })

  const stepFor = Effect.fnUntraced(function* (batch: B) {
    const started = performance.now()
    const { step, fresh } = yield* compiled(batch, options.program)
    if (fresh) {
      const seconds = (performance.now() - started) / 1000
      yield* options.emit({ event: "compile", key: batch.key, seconds, fallbacks: step.executable.fallbacks })
    }
    return step
  })
  const save = Effect.fnUntraced(function* (best: boolean) {
    if (options.beforeSave !== undefined) yield* options.beforeSave
    const tensors = yield* snapshot(state)
    const broken = [...tensors.weights].find(([, { data }]) => data.some((value) => !Number.isFinite(Number(value))))
    if (broken !== undefined) {
      return yield* new TrainingDiverged({
        message: `training diverged: after step ${progress.step} the weights ${broken[0]} are not finite`,
        step: progress.step,
        tensor: broken[0],
        hint: "lower the learning rate or clip harder; earlier checkpoints are intact",
      })
    }
    yield* checkpoints.save({ state: progress, ...tensors })
    yield* options.emit({ event: "checkpoint", step: progress.step, best })
  })

  const patience = options.evaluate?.patience ?? Number.POSITIVE_INFINITY
  let reason: TrainResult["reason"] = progress.stale >= patience ? "early stop" : "completed"
  let saved = restored === undefined ? -1 : progress.step
  let next = yield* Effect.forkChild(options.batch(progress.step * accumulate))
  while (progress.step < schedule.steps && reason === "completed") {
    const started = performance.now()
    const totals: Record<string, number> = {}
    let loss = 0
    let examples = 0
    for (let part = 0; part < accumulate; part++) {
      const index = progress.step * accumulate + part
      const batch = yield* Fiber.join(next)
      next = yield* Effect.forkChild(options.batch(index + 1))
      const step = yield* stepFor(batch)
      const outputs = yield* runStep(step, batch, state, { seed, step: index }, accumulate, part)
      for (const [name, value] of Object.entries({ ...outputs.metrics, ...batch.statistics })) {
        totals[name] = (totals[name] ?? 0) + value / accumulate
      }
      loss += outputs.loss / accumulate
      examples += batch.examples
    }
    const lr = learningRateAt(schedule, progress.step)
    const step = progress.step + 1
    const gradNorm = Number.isFinite(loss)
      ? yield* optimize(state, options.optimizer, { learningRate: lr, count: step, batches: accumulate })
      : Number.NaN
    if (!Number.isFinite(gradNorm)) {
      yield* Fiber.interrupt(next)
      return yield* new TrainingDiverged({
        message: `training diverged at step ${step}: ${Number.isFinite(loss) ? "the gradient's norm" : "the loss"} is not finite`,
        step,
        found: `loss ${loss}, gradient norm ${gradNorm}`,
        hint: "lower the learning rate or clip harder; earlier checkpoints are intact",
      })
    }
    progress = { ...progress, step }
    yield* options.emit({
      event: "step",
      step,
      epoch: step / options.stepsPerEpoch,
      loss,
      lr,
      gradNorm,
      examples,
      seconds: (performance.now() - started) / 1000,
      metrics: totals,
    })
    const ended = step === schedule.steps
    let best = false
    if (options.evaluate !== undefined && (ended || step % options.evaluate.everySteps === 0)) {
      const metrics = yield* options.evaluate.run(state.weights)
      yield* options.emit({ event: "eval", step, metrics })
      const value = metrics[options.evaluate.metric] ?? Number.NEGATIVE_INFINITY
      best = progress.best === null || value > progress.best.value
      progress = { ...progress, best: best ? { step, value } : progress.best, stale: best ? 0 : progress.stale + 1 }
      if (progress.stale >= patience) reason = "early stop"
    }
    const stopping = reason === "early stop" || ended
    const interrupted = !stopping && options.stopRequested !== undefined && (yield* options.stopRequested)
    if (best || stopping || interrupted || step % options.saveEverySteps === 0) {
      yield* save(best)
      saved = step
    }
    if (interrupted) {
      yield* Fiber.interrupt(next)
      return yield* new TrainingInterrupted({
        message: `training was interrupted after step ${step} of ${schedule.steps}`,
        step,
        hint: "the same command with --resume goes on from here",
      })
    }
  }
  yield* Fiber.interrupt(next)
  if (saved !== progress.step) yield* save(false)
  yield* options.emit({ event: "done", step: progress.step, reason })
  const last = (yield* snapshot(state)).weights
  const { best } = progress
  if (best === null) return { steps: progress.step, reason, last, best: undefined }
  if (best.step === progress.step) return { steps: progress.step, reason, last, best: { ...best, weights: last } }
  const kept = yield* checkpoints.at(best.step)
  if (Option.isNone(kept)) {
    return yield* new CheckpointFailed({
      message: `the checkpoint of the best evaluation, step ${best.step}, is gone`,
      hint: "start again in another folder",
    })
  }
  return { steps: progress.step, reason, last, best: { ...best, weights: kept.value.weights } }
})

/** A pass over one batch, its gradients added to the sums where a step has several. */
const runStep = Effect.fnUntraced(function* (
  step: TrainStep,
  batch: Batch,
  state: ResidentState,
  draw: { seed: number; step: number },
  accumulate: number,
  part: number,
) {
  const runtime = yield* Runtime
  if (accumulate > 1 && part === 0) yield* runtime.call(kernels.clear, { sums: state.sums }, null)
  const outputs = yield* step.run(batch, draw)
  if (accumulate > 1) {
    yield* runtime.call(kernels.accumulate, { sums: state.sums, gradients: state.gradients }, null)
  }
  return outputs
})
