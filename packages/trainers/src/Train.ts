import type { Tensor } from "@tandem/onnx"
import { type CompileFailed, type RunFailed, Runtime } from "@tandem/runtime"
import { Effect, Fiber, Option, type Scope } from "effect"
import { type Checkpoint, Checkpoints, type StateContents, type TrainState } from "./Checkpoint.ts"
import { CheckpointFailed, HookFailed, InvalidSettings, TrainingDiverged, TrainingInterrupted } from "./Errors.ts"
import { Averages } from "./internal/averages.ts"
import { kernels } from "./Kernels.ts"
import type { Hook, Live, Objective, StatePart } from "./Objective.ts"
import { checkGroups, optimize } from "./Optimize.ts"
import type { UpdateSettings } from "./Optimizer.ts"
import type { Batch } from "./Program.ts"
import { makeProgramCache } from "./ProgramCache.ts"
import { learningRateAt, type Schedule } from "./Schedule.ts"
import { type ResidentState, residentState, snapshot } from "./TrainState.ts"
import type { DifferentiationError } from "./TrainStep.ts"

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
      /** The same of each part's gradient alone, where several parts train. */
      readonly partNorms: Readonly<Record<string, number>>
      readonly examples: number
      /** Seconds that the step took. */
      readonly seconds: number
      /** Other scalar outputs of the program and statistics of its batches, averaged over the step's examples or `counts`. */
      readonly metrics: Readonly<Record<string, number>>
    }
  | {
      readonly event: "eval"
      readonly step: number
      /** Name of the figure that decides which weights are kept. */
      readonly metric: string
      readonly metrics: Readonly<Record<string, number>>
    }
  | { readonly event: "checkpoint"; readonly step: number; readonly best: boolean }
  | { readonly event: "compile"; readonly key: string; readonly seconds: number; readonly fallbacks: readonly string[] }
  | { readonly event: "resume"; readonly step: number }
  | { readonly event: "done"; readonly step: number; readonly reason: "completed" | "early stop" }

/** Options of `train`. `O` is what observers fail with. */
export interface TrainOptions<O> extends UpdateSettings {
  readonly schedule: Schedule
  /**
   * The trained parameters' first values are not needed any more: where they have memory of their own it goes to the
   * runtime, and their tensors are empty afterwards.
   */
  readonly handOver?: boolean
  /** Drafts whose gradients are averaged into one optimizer step. It does not add in-batch negatives. */
  readonly accumulate?: number
  readonly seed: number
  /** Identity of the run: a checkpoint with another one is refused. */
  readonly fingerprint: string
  /** Steps between evaluations, where the objective has one; it is evaluated at the end, too. An epoch where absent. */
  readonly evaluateEverySteps?: number
  /** Stops after so many evaluations without a better one. */
  readonly patience?: number
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

/** What training itself can end in. */
export type TrainFailure =
  | CompileFailed
  | RunFailed
  | CheckpointFailed
  | HookFailed
  | InvalidSettings
  | TrainingDiverged
  | TrainingInterrupted
  | DifferentiationError

/** Optimizer steps of an epoch. */
export const stepsPerEpoch = (draftsPerEpoch: number, accumulate = 1): number => Math.ceil(draftsPerEpoch / accumulate)

/**
 * The training loop: for every optimizer step, forward and backward passes over its batches, clipping by the global
 * norm of the averaged gradient, one update at the scheduled rate, and the hooks that are due.
 *
 * A run is a function of objective and options: drafts and dropout masks follow from seed and step, and what is completed
 * follows from the weights of the moment. So a run that was killed and resumed from its last checkpoint continues the same
 * sequence of losses, bit for bit where the runtime's thread count is the same. A loss or gradient that is not finite ends
 * in `TrainingDiverged` before any weight is touched.
 *
 * A failure of a hook ends the run with that failure; one that it did not declare ends in `HookFailed`. The last
 * checkpoint is intact after both.
 */
export const train = Effect.fnUntraced(function* <D, B extends Batch, E, R, O>(
  objective: Objective<D, B, E, R>,
  options: TrainOptions<O>,
): Effect.fn.Return<TrainResult, E | O | TrainFailure, R | Runtime | Checkpoints | Scope.Scope> {
  const { schedule, accumulate = 1, seed, optimizer } = options
  const { evaluation, hooks = [], states = [] } = objective
  const checkpoints = yield* Checkpoints
  const restored = options.resume ? Option.getOrUndefined(yield* checkpoints.last) : undefined
  yield* checkOptions(objective, options, restored)
  const state = yield* residentState(objective.parameters, objective.trainable, {
    optimizer,
    restored,
    ...(options.handOver === undefined ? {} : { handOver: options.handOver }),
  })
  if (restored !== undefined) yield* restoreStates(states, restored)
  const compiled = yield* makeProgramCache(options.programs ?? 16, state)
  let progress: TrainState = restored?.state ?? {
    format: 2,
    step: 0,
    fingerprint: options.fingerprint,
    best: null,
    stale: 0,
  }
  if (restored !== undefined) yield* options.emit({ event: "resume", step: progress.step })
  const live = (): Live => ({ step: progress.step, weights: state.weights })

  const stepFor = Effect.fnUntraced(function* (batch: B) {
    const started = performance.now()
    const { step, fresh } = yield* compiled(batch, objective.program)
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
    const parts: Record<string, StateContents> = {}
    for (const part of states) parts[part.name] = yield* part.save
    yield* checkpoints.save({ state: progress, ...tensors, parts })
    yield* options.emit({ event: "checkpoint", step: progress.step, best })
  })

  const evaluateEvery = options.evaluateEverySteps ?? stepsPerEpoch(objective.draftsPerEpoch, accumulate)
  const patience = options.patience ?? Number.POSITIVE_INFINITY
  let reason: TrainResult["reason"] = progress.stale >= patience ? "early stop" : "completed"
  let saved = restored === undefined ? -1 : progress.step
  let next = yield* Effect.forkChild(objective.draft(progress.step * accumulate))
  while (progress.step < schedule.steps && reason === "completed") {
    const started = performance.now()
    const averages = new Averages()
    let loss = 0
    let examples = 0
    let summed = false
    for (let part = 0; part < accumulate; part++) {
      const index = progress.step * accumulate + part
      const draft = yield* Fiber.join(next)
      next = yield* Effect.forkChild(objective.draft(index + 1))
      const passes = yield* objective.complete(draft, live())
      summed = accumulate > 1 || passes.length > 1 || (passes[0].weight ?? 1) !== 1
      if (summed && part === 0) yield* clearSums(state)
      const together = passes.reduce((sum, batch) => sum + batch.examples, 0)
      for (const [pass, batch] of passes.entries()) {
        const { weight = 1 } = batch
        const step = yield* stepFor(batch)
        // Every pass draws masks of its own.
        const outputs = yield* step.run(batch, { seed: seed + pass * 2 ** 32, step: index })
        if (summed) yield* addToSums(state, weight)
        for (const [name, value] of Object.entries({ ...outputs.metrics, ...batch.statistics })) {
          averages.add(name, value, batch.counts?.[name] ?? batch.examples / together)
        }
        loss += (weight * outputs.loss) / accumulate
        examples += batch.examples
      }
    }
    const lr = learningRateAt(schedule, progress.step)
    const step = progress.step + 1
    const update = { learningRate: lr, count: step, ...(summed ? { batches: accumulate } : {}) }
    const { gradNorm, parts } = Number.isFinite(loss)
      ? yield* optimize(state, options, update)
      : { gradNorm: Number.NaN, parts: {} }
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
      epoch: step / stepsPerEpoch(objective.draftsPerEpoch, accumulate),
      loss,
      lr,
      gradNorm,
      partNorms: Object.keys(parts).length > 1 ? parts : {},
      examples,
      seconds: (performance.now() - started) / 1000,
      metrics: averages.all(),
    })
    for (const hook of hooks) if (step % hook.everySteps === 0) yield* runHook(hook, live())
    const ended = step === schedule.steps
    let best = false
    if (evaluation !== undefined && (ended || step % evaluateEvery === 0)) {
      const metrics = yield* evaluation.run(live())
      yield* options.emit({ event: "eval", step, metric: evaluation.metric, metrics })
      const value = metrics[evaluation.metric]
      if (value === undefined || !Number.isFinite(value)) {
        yield* Fiber.interrupt(next)
        return yield* new InvalidSettings({
          message: `the evaluation after step ${step} has no finite ${evaluation.metric}, by which the best weights are known`,
          field: "metric",
          expected: `one of ${Object.keys(metrics).join(", ")}`,
          found: `${evaluation.metric} ${value ?? "missing"}`,
          hint: "earlier checkpoints are intact",
        })
      }
      const before = progress.best?.value
      best = before === undefined || (evaluation.better === "smaller" ? value < before : value > before)
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
        hint: "the same settings with `resume` go on from here",
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

const checkOptions = Effect.fnUntraced(function* <D, B extends Batch, E, R, O>(
  { trainable, draftsPerEpoch, hooks = [], states = [] }: Objective<D, B, E, R>,
  options: TrainOptions<O>,
  restored: Checkpoint | undefined,
): Effect.fn.Return<void, InvalidSettings> {
  yield* checkGroups(options, trainable)
  const counts = {
    accumulate: options.accumulate ?? 1,
    evaluateEverySteps: options.evaluateEverySteps ?? 1,
    saveEverySteps: options.saveEverySteps,
    draftsPerEpoch,
  }
  for (const [field, value] of Object.entries(counts)) {
    if (isCount(value)) continue
    return yield* new InvalidSettings({
      message: `${field} has a wrong value`,
      field,
      expected: "a whole number, 1 or more",
      found: `${value}`,
    })
  }
  const lazy = hooks.find(({ everySteps }) => !isCount(everySteps))
  const misnamed = states.find(
    ({ name }, at) => !/^[a-z][a-z0-9-]*$/.test(name) || states.findIndex((other) => other.name === name) !== at,
  )
  if (lazy !== undefined) {
    return yield* new InvalidSettings({
      message: `the hook ${lazy.name} is never due`,
      field: "hooks",
      expected: "a whole number of steps, 1 or more",
      found: `${lazy.everySteps}`,
    })
  }
  if (misnamed !== undefined) {
    return yield* new InvalidSettings({
      message: `a run cannot remember anything as ${misnamed.name}`,
      field: "states",
      expected: "names of their own of lower-case letters, digits and hyphens",
      found: misnamed.name,
    })
  }
  if (restored !== undefined && restored.state.fingerprint !== options.fingerprint) {
    return yield* new InvalidSettings({
      message: "the checkpoint belongs to a run with other settings, model or data",
      expected: options.fingerprint,
      found: restored.state.fingerprint,
      hint: "resume with the settings that the run was started with",
    })
  }
})

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1

const restoreStates = Effect.fnUntraced(function* <E, R>(
  states: readonly StatePart<E, R>[],
  { parts, state }: Checkpoint,
): Effect.fn.Return<void, E | CheckpointFailed, R> {
  for (const part of states) {
    const contents = parts[part.name]
    if (contents === undefined) {
      return yield* new CheckpointFailed({
        message: `the checkpoint of step ${state.step} lacks the part ${part.name}`,
        expected: states.map(({ name }) => name).join(", "),
        found: Object.keys(parts).join(", ") || "no parts",
        hint: "begin again in another folder",
      })
    }
    yield* part.restore(contents)
  }
})

const runHook = <E, R>(hook: Hook<E, R>, live: Live): Effect.Effect<void, E | HookFailed, R> =>
  hook.run(live).pipe(
    Effect.catchDefect((defect) =>
      Effect.fail(
        new HookFailed({
          message: `${hook.name} failed after step ${live.step}: ${defect instanceof Error ? defect.message : String(defect)}`,
          hook: hook.name,
          step: live.step,
          hint: "the last checkpoint is intact",
        }),
      ),
    ),
  )

const clearSums = Effect.fnUntraced(function* (state: ResidentState) {
  const sums = yield* state.sums
  yield* (yield* Runtime).call(kernels.clear, { sums }, null)
})

const addToSums = Effect.fnUntraced(function* (state: ResidentState, weight: number) {
  const sums = yield* state.sums
  yield* (yield* Runtime).call(kernels.accumulate, { sums, gradients: state.gradients }, weight)
})
