import { influences } from "@tandem/autodiff"
import { ignoredTitles, type RetrievalData } from "@tandem/datasets"
import type { Tensor } from "@tandem/onnx"
import { defaultTitles, encoderOf, type Towers, towerParameters } from "@tandem/retriever"
import { Runtime } from "@tandem/runtime"
import { layer as nodeRuntime } from "@tandem/runtime/node/NodeRuntime"
import {
  adamW,
  asDrafted,
  Checkpoints,
  type Live,
  type Program,
  stepsPerEpoch as stepsOf,
  type TrainEvent,
  TrainingDiverged,
  train,
  trainableNames,
  warmupSteps,
  withGradients,
} from "@tandem/trainers"
import { layer as directoryCheckpoints } from "@tandem/trainers/node/DirectoryCheckpoints"
import { Effect, Fiber, Layer, Option } from "effect"
import { figures, measureBaseline } from "./Baseline.ts"
import { type DprBatch, dprBatches } from "./DprBatches.ts"
import { type DprData, loadData } from "./DprData.ts"
import { type DprOptions, progressTo } from "./DprEvent.ts"
import { dprProgram } from "./DprProgram.ts"
import { evaluateTowers, type SystemResult } from "./Evaluation.ts"
import { finish, peakMemoryMiB } from "./Finish.ts"
import { openMetrics, openRunFolder, runPaths, writeJson } from "./RunFolder.ts"
import { refuseOtherRun, runIdentity } from "./RunIdentity.ts"
import type { RetrievalSettings } from "./SearchTowers.ts"
import type { DprSettings } from "./Settings.ts"
import { loadTowers, retrievalSettings, searchTowers } from "./Towers.ts"
import { writeReport } from "./WriteReport.ts"

/**
 * Trains a dense passage retriever as `tandem dpr train` does: reads data and model, measures BM25 and the untrained
 * encoder, trains, measures again, and leaves the run folder of docs/formats.md: weights, index, metrics and report.
 */
export const trainDpr = Effect.fn("dpr.train")((settings: DprSettings, options: DprOptions) => {
  const runtime =
    options.runtime ??
    nodeRuntime({
      device: settings.device,
      ...(settings.threads === undefined ? {} : { threads: settings.threads }),
    })
  const checkpoints = directoryCheckpoints(runPaths(settings.out).checkpoints)
  const began = performance.now()
  // The device starts in a thread of its own while this one reads.
  return Effect.all([Layer.build(Layer.merge(runtime, checkpoints)), load(settings, options)], {
    concurrency: "unbounded",
  }).pipe(
    Effect.flatMap(([services, loaded]) => Effect.provide(run(settings, options, loaded, began), services)),
    Effect.scoped,
  )
})

/** What a run starts from. */
interface Loaded {
  readonly data: DprData
  readonly towers: Towers
  readonly retrieval: RetrievalSettings
}

const load = Effect.fnUntraced(function* (settings: DprSettings, { observe }: DprOptions) {
  const phase = (name: string) => observe({ event: "phase", name })
  yield* openRunFolder(settings.out, settings.resume)
  yield* phase("reading data")
  const data = yield* loadData(settings)
  yield* phase("loading the model")
  const towers = yield* loadTowers(settings, data)
  return { data, towers, retrieval: yield* retrievalSettings(settings, towers) } satisfies Loaded
})

const run = Effect.fnUntraced(function* (
  settings: DprSettings,
  { observe, stopRequested }: DprOptions,
  { data, towers, retrieval }: Loaded,
  began: number,
) {
  const paths = runPaths(settings.out)
  const { device } = yield* Runtime
  const warnings = [...device.fallbacks, ...data.warnings]
  if (settings.dropout === "model" && encoderOf(towers, "query").source.kind === "onnx") {
    warnings.push("the model is an ONNX file, which holds no dropout: it is trained without")
  }
  if (settings.titles === undefined && (retrieval.titles ?? defaultTitles(encoderOf(towers, "passage"))) === "none") {
    warnings.push(...ignoredTitles(data.train.corpus.values()).map(({ message }) => message))
  }
  for (const message of warnings) yield* observe({ event: "warning", message })
  const batches = dprBatches(towers, data, settings, retrieval)
  const stepsPerEpoch = stepsOf(batches.perEpoch, settings.accumulate)
  const steps = Math.min(settings.maxSteps ?? Number.POSITIVE_INFINITY, stepsPerEpoch * settings.epochs)
  // Hashing is other threads' work.
  const identifying = yield* Effect.forkChild(runIdentity(settings, towers, retrieval))
  const programFor = (batch: DprBatch) =>
    dprProgram(towers, batch.shape, { ...retrieval, symmetric: settings.symmetric, dropout: settings.dropout })
  // What cannot be trained is refused before anything is written or measured.
  const firstBatch = batches.at(0)
  const parameters = towerParameters(towers)
  const undifferentiated = yield* programFor(firstBatch)
  const names = yield* trainable(parameters, settings, undifferentiated)
  const first = yield* withGradients(undifferentiated, new Map(names.map((name) => [name, parameters.get(name)!])))
  const program = (batch: DprBatch) => (batch.key === firstBatch.key ? Effect.succeed(first) : programFor(batch))
  const identity = yield* Fiber.join(identifying)
  yield* refuseOtherRun(paths.config, settings, identity.fingerprint)
  yield* writeJson(paths.config, {
    format: 1,
    command: "dpr train",
    settings,
    retriever: { ...retrieval, untied: towers.kind === "untied" },
    steps,
    device: { provider: device.provider, threads: device.threads },
    statistics: { train: data.train.statistics, dev: data.dev?.statistics ?? null },
    ...identity,
  })
  const baseline =
    data.dev === undefined ? undefined : yield* measureBaseline(data.dev, towers, retrieval, settings, observe)

  let latest: { readonly step: number; readonly result: SystemResult } | undefined
  const evaluate = (dev: RetrievalData) =>
    Effect.fnUntraced(function* ({ weights }: Live) {
      const result = yield* evaluateTowers(searchTowers(towers, weights), dev, retrieval, progressTo(observe))
      latest = { step: lastStep, result }
      return figures(result.metrics)
    })
  let lastStep = 0
  const metrics = yield* openMetrics(paths.metrics, yield* resumeStep(settings))
  const emit = Effect.fnUntraced(function* (event: TrainEvent) {
    if (event.event === "step") {
      lastStep = event.step
      yield* metrics.append(stepRow(event))
    }
    if (event.event === "eval") {
      yield* metrics.append({ step: event.step, eval: event.metrics })
      yield* metrics.flush
    }
    yield* observe(event)
  })
  const objective = {
    name: "dpr",
    parameters,
    trainable: names,
    draftsPerEpoch: batches.perEpoch,
    draft: (index: number) => Effect.sync(() => batches.at(index)),
    complete: asDrafted<DprBatch>,
    program,
    ...(data.dev === undefined ? {} : { evaluation: { metric: "mrr@10", run: evaluate(data.dev) } }),
  }
  return yield* train(objective, {
    // From here on the encoders are run and saved with other weights than those that were read.
    handOver: true,
    schedule: {
      kind: settings.schedule,
      learningRate: settings.lr,
      warmupSteps: warmupSteps(settings.warmup, steps),
      steps,
    },
    optimizer: adamW(),
    weightDecay: settings.weightDecay,
    clip: settings.clip,
    accumulate: settings.accumulate,
    seed: settings.seed,
    fingerprint: identity.fingerprint,
    evaluateEverySteps: settings.evalEvery ?? stepsPerEpoch,
    ...(settings.patience === undefined ? {} : { patience: settings.patience }),
    saveEverySteps: settings.saveEvery,
    resume: settings.resume,
    emit,
    beforeSave: metrics.flush,
    ...(stopRequested === undefined ? {} : { stopRequested }),
  }).pipe(
    Effect.flatMap((result) =>
      finish({
        settings,
        data,
        towers,
        retrieval,
        result,
        baseline,
        warnings,
        plannedSteps: steps,
        began,
        latest,
        observe,
      }),
    ),
    // Weights can be finite and too large to embed with.
    Effect.catchTag("InvalidVector", ({ message, found }) =>
      Effect.fail(
        new TrainingDiverged({
          message: `training diverged: after step ${lastStep} ${message}`,
          step: lastStep,
          ...(found === undefined ? {} : { found }),
          hint: "lower the learning rate or clip harder; earlier checkpoints are intact",
        }),
      ),
    ),
    Effect.tapError((error) =>
      error._tag === "TrainingInterrupted" || error._tag === "TrainingDiverged"
        ? writeReport(
            settings.out,
            {
              format: 1,
              command: "dpr train",
              status: error._tag === "TrainingDiverged" ? "diverged" : "interrupted",
              steps: lastStep,
              seconds: (performance.now() - began) / 1000,
              peakMemoryMiB: peakMemoryMiB(),
              device: `${device.provider}, ${device.threads} threads`,
              ...(baseline === undefined
                ? {}
                : {
                    baselines: { bm25: baseline.bm25.metrics, untrained: baseline.before.metrics },
                    before: baseline.before.metrics,
                  }),
            },
            { data, warnings, plannedSteps: steps, ...(baseline === undefined ? {} : { baseline }) },
          )
        : Effect.void,
    ),
  )
})

/** Names of what is trained: all that is not frozen and that the loss depends on (an ONNX file can hold other tensors). */
const trainable = Effect.fnUntraced(function* (
  parameters: ReadonlyMap<string, Tensor>,
  settings: DprSettings,
  program: Program,
) {
  return influences(program.graph, program.loss, yield* trainableNames([...parameters.keys()], settings))
})

/** The step after which a run goes on. */
const resumeStep = Effect.fnUntraced(function* (settings: DprSettings) {
  if (!settings.resume) return 0
  const last = Option.getOrUndefined(yield* (yield* Checkpoints).last)
  return last?.state.step ?? 0
})

const stepRow = ({
  step,
  epoch,
  loss,
  lr,
  gradNorm,
  examples,
  seconds,
  partNorms,
  metrics,
}: Extract<TrainEvent, { event: "step" }>) => ({
  step,
  epoch,
  time: Date.now() / 1000,
  loss,
  lr,
  gradNorm,
  examples,
  seconds,
  ...Object.fromEntries(Object.entries(partNorms).map(([part, norm]) => [`gradNorm/${part}`, norm])),
  ...metrics,
})
