import { existsSync } from "node:fs"
import { join } from "node:path"
import { measureAnswers, type PreparedQuestion, type RaltBatch, raltObjective } from "@tandem/objectives"
import { generatorFingerprint } from "@tandem/objectives/node/LoadGenerator"
import { openGenerator } from "@tandem/objectives/node/OpenGenerator"
import { type Prepared, readPrepared, writePrepared } from "@tandem/objectives/node/PreparedFile"
import { askable, readQuestions, textsOf } from "@tandem/objectives/node/Questions"
import { peftDescription, saveGenerator } from "@tandem/objectives/node/SaveGenerator"
import { type RunOptions, SettingsError, type TrainPlan } from "@tandem/runs"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { trainRun } from "@tandem/runs/node/TrainRun"
import type { Passes } from "@tandem/trainers"
import { Effect } from "effect"
import { checkSource } from "./CheckSource.ts"
import { findAll } from "./RaltData.ts"
import type { RaltSettings } from "./Settings.ts"

/**
 * Fine-tunes a language model on retrieved passages as `tandem ralt train` does: finds the passages of all questions once,
 * measures answers before, trains, measures again, and leaves the run folder of docs/formats.md.
 */
export const trainRalt = Effect.fn("ralt.train")((settings: RaltSettings, options: RunOptions) =>
  trainRun({
    command: "ralt train",
    settings,
    options,
    prepare: prepare(settings, options),
    plan: (prepared) => planOf(settings, prepared, options),
  }),
)

const prepare = Effect.fnUntraced(function* (settings: RaltSettings, { observe }: RunOptions) {
  yield* observe({ event: "phase", name: "reading data" })
  const train = yield* readQuestions(settings.data, "data", settings)
  const dev = settings.dev.length === 0 ? undefined : yield* readQuestions(settings.dev, "dev", settings)
  yield* checkSource(settings, [train, ...(dev === undefined ? [] : [dev])])
  yield* observe({ event: "phase", name: "loading the model" })
  const opened = yield* openGenerator(settings, { seed: settings.seed, texts: () => textsOf(train) })
  return { train, dev, ...opened }
})

type Loaded = Effect.Success<ReturnType<typeof prepare>>

const planOf = Effect.fnUntraced(function* (
  settings: RaltSettings,
  { train: rawTrain, dev: rawDev, model, prompts }: Loaded,
  options: RunOptions,
) {
  const { observe } = options
  const { k, kEval = k, seed } = settings
  const kept = (name: string): string => join(runPaths(settings.out).prepared, `${name}.jsonl`)
  const sets = [
    {
      questions: rawTrain,
      k: Math.max(k, settings.passagesPerPrompt),
      files: settings.data,
      kept: kept("train"),
    },
    ...(rawDev === undefined ? [] : [{ questions: rawDev, k: kEval, files: settings.dev, kept: kept("dev") }]),
  ]
  const isKept = sets.every((set) => set.questions.kind === "prepared" || existsSync(set.kept))
  const found: readonly Prepared[] = yield* settings.resume && isKept
    ? Effect.forEach(sets, (set) =>
        set.questions.kind === "prepared" ? Effect.succeed(set.questions.prepared) : readPrepared(set.kept),
      )
    : findAll(sets, settings, options)
  const train = yield* askable(found[0]!.questions, prompts, "data")
  const dev = found[1] === undefined ? undefined : yield* askable(found[1].questions, prompts, "dev")
  const { foundBy } = found[0]!.header
  const temperature = settings.weightTemperature ?? (foundBy.kind === "retriever" ? foundBy.temperature : 1)
  if (model.kind === "decoder" && (model.frozen?.size ?? 0) > 0) {
    return yield* new SettingsError({
      message: "the model's weights are quantised",
      field: "generator",
      file: settings.generator,
      expected: "weights of full precision: safetensors, or onnx/model.onnx",
      found: `${model.frozen?.size} quantised tensors`,
    })
  }
  if (settings.weights === "retriever" && foundBy.kind === "data") {
    return yield* new SettingsError({
      message: "passages that the examples name have no scores to weigh them by",
      field: "weights",
      expected: "passages that a retriever or BM25 found",
      found: "prepared with `passages` data",
    })
  }
  if (settings.trainOnPrompt && model.kind === "seq2seq") {
    return yield* new SettingsError({
      message: "an encoder-decoder writes answers alone, so it cannot be trained on prompts",
      field: "trainOnPrompt",
      hint: "leave it out",
    })
  }
  const objective = raltObjective(model, {
    questions: train.questions,
    prompts,
    seed,
    k,
    batchSize: settings.batchSize,
    reduction: settings.reduction,
    trainOnPrompt: settings.trainOnPrompt,
    passTokens: settings.passTokens,
    weights: settings.weights === "none" ? { kind: "none" } : { kind: "retriever", temperature },
    closedBookShare: settings.closedBookShare,
    passagesPerPrompt: settings.passagesPerPrompt,
    distractorShare: settings.distractorShare,
    dropout: settings.dropout,
  })
  const measurement =
    dev &&
    (yield* measureAnswers({
      model,
      questions: dev.questions,
      prompts,
      k: kEval,
      seed,
      written: settings.answers,
      decidedBy: settings.closedBookShare === 1 ? "closedBook" : "retrieved",
      observe,
    }))
  const corpus = settings.corpus === undefined ? [] : [settings.corpus]
  const statistics = { train: countsOf(train.questions), dev: dev === undefined ? null : countsOf(dev.questions) }
  const plan: TrainPlan<Passes<RaltBatch>, RaltBatch, PlanFailure> = {
    objective,
    measurement,
    inputs: {
      files: [...settings.data, ...settings.dev, ...corpus],
      models: Effect.sync(() => ({
        generator: generatorFingerprint(model),
        ...(foundBy.kind === "retriever" ? { retriever: foundBy.fingerprint } : {}),
      })),
      resolved: { prompt: prompts.settings, foundBy, temperature },
    },
    begin: Effect.forEach(sets, ({ questions, kept: file }, index) =>
      questions.kind === "raw" ? writePrepared(file, found[index]!) : Effect.void,
    ),
    facts: { generator: { k, kEval, foundBy, prompt: prompts.settings }, statistics },
    versions: { architecture: String(model.source.huggingFace["model_type"] ?? model.kind) },
    statistics,
    warnings: [
      ...[rawTrain, ...(rawDev === undefined ? [] : [rawDev])].flatMap((set) =>
        set.kind === "raw" ? set.warnings : [],
      ),
      ...train.warnings,
      ...(dev?.warnings ?? []),
      ...(settings.dropout === "model" && model.source.kind === "onnx"
        ? ["the model is an ONNX file, which holds no dropout: it is trained without"]
        : []),
    ],
    adapters: { generator: peftDescription(model, settings.generator) },
    stepCharts: [{ title: "Padding and tokens that are not computed again", columns: ["padding", "shared"] }],
    save: (trained) => saveGenerator({ run: settings.out, model, trained, prompt: prompts.settings, observe }),
  }
  return plan
})

type PlanFailure =
  | Effect.Error<ReturnType<typeof saveGenerator>>
  | Effect.Error<ReturnType<typeof writePrepared>>
  | Effect.Error<ReturnType<NonNullable<Effect.Success<ReturnType<typeof measureAnswers>>["measure"]>>>

/** What there is to count of prepared questions. */
const countsOf = (questions: readonly PreparedQuestion[]) => {
  const found = questions.map(({ passages }) => passages.filter(({ score }) => score !== undefined))
  return {
    questions: questions.length,
    passages: new Set(questions.flatMap(({ passages }) => passages.map(({ id }) => id))).size,
    withGold: questions.filter(({ passages }) => passages.some(({ gold }) => gold === true)).length,
    goldFound: found.filter((passages) => passages.some(({ gold }) => gold === true)).length,
    withoutPassages: found.filter((passages) => passages.length === 0).length,
  }
}
