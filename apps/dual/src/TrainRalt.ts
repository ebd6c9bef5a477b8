import { isModelError, type LanguageModel, type ModelError, quantizeWeights } from "@tandem/models"
import {
  generatorPart,
  labelledTexts,
  measureAnswers,
  measureTexts,
  type PreparedQuestion,
  type RaltBatch,
  raltObjective,
  textCounts,
} from "@tandem/objectives"
import { readEvaluationData } from "@tandem/objectives/node/EvaluationData"
import type { DrawnSet } from "@tandem/objectives/node/InstructionSets"
import { generatorFingerprint } from "@tandem/objectives/node/LoadGenerator"
import { openGenerator } from "@tandem/objectives/node/OpenGenerator"
import type { FoundBy, writePrepared } from "@tandem/objectives/node/PreparedFile"
import { askable, textsOf } from "@tandem/objectives/node/Questions"
import { peftDescription, saveGenerator } from "@tandem/objectives/node/SaveGenerator"
import { readTrainingData, type TrainingData } from "@tandem/objectives/node/TrainingData"
import { type RunOptions, SettingsError, type TrainPlan } from "@tandem/runs"
import { loraFor } from "@tandem/runs/LoraSetting"
import { trainRun } from "@tandem/runs/node/TrainRun"
import type { Passes } from "@tandem/trainers"
import { Effect } from "effect"
import { refuseTexts, wordsOf } from "./AloneTexts.ts"
import { checkSource } from "./CheckSource.ts"
import { runQuestions } from "./RunQuestions.ts"
import type { RaltSettings } from "./Settings.ts"

/**
 * Fine-tunes a language model on retrieved passages as `tandem ralt train` does: finds the passages of all questions once,
 * measures answers before, or held-out texts where those are what there is, trains, measures again, and leaves the run
 * folder of docs/formats.md.
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
  const train = yield* readTrainingData(settings.data, settings)
  const dev = settings.dev.length === 0 ? undefined : yield* readEvaluationData(settings.dev, "dev", settings)
  const asked = dev?.kind === "questions" ? dev.questions : undefined
  yield* checkSource(
    settings,
    [train.questions, asked].filter((set) => set !== undefined),
  )
  if (dev?.kind === "texts" && settings.kEval !== undefined) {
    return yield* new SettingsError({
      message: "`kEval` has no effect where no question is measured",
      field: "kEval",
      hint: "leave it out",
    })
  }
  yield* observe({ event: "phase", name: "loading the model" })
  const { model, prompts } = yield* openGenerator(settings, { seed: settings.seed, texts: () => trainedTexts(train) })
  return {
    train,
    dev: asked,
    held: dev?.kind === "texts" ? dev.instructions : undefined,
    prompts,
    model: yield* frozenIn(model, settings),
  }
})

/** The model with the weights of its products in few bits, where settings ask for it. */
const frozenIn = Effect.fnUntraced(function* (
  model: LanguageModel,
  { quantize, generator }: Pick<RaltSettings, "quantize" | "generator">,
): Effect.fn.Return<LanguageModel, SettingsError | ModelError> {
  if (quantize === undefined) return model
  if (model.kind === "decoder")
    return yield* Effect.try({
      try: () => quantizeWeights(model, { bits: quantize }),
      catch: (cause) => cause,
    }).pipe(Effect.catch((cause) => (isModelError(cause) ? Effect.fail(cause) : Effect.die(cause))))
  return yield* new SettingsError({
    message: "the weights of a decoder alone can be frozen in few bits",
    field: "quantize",
    file: generator,
    expected: "a decoder",
    found: "an encoder-decoder",
    hint: "leave it out",
  })
})

type Loaded = Effect.Success<ReturnType<typeof prepare>>

/** What a model and the data that were found for it rule out together. */
const refuseUnfit = Effect.fnUntraced(function* (
  settings: RaltSettings,
  { model, train, held }: Pick<Loaded, "model" | "train" | "held">,
  foundBy: FoundBy | undefined,
) {
  if (model.kind === "decoder" && model.quantized === undefined && model.frozen.size > 0) {
    return yield* new SettingsError({
      message: "the model's weights are quantised",
      field: "generator",
      file: settings.generator,
      expected: "weights of full precision: safetensors, or onnx/model.onnx",
      found: `${model.frozen.size} quantised tensors`,
      hint: "`quantize` 4 freezes them in 4 bits again",
    })
  }
  if (settings.weights === "retriever" && foundBy?.kind === "data") {
    return yield* new SettingsError({
      message: "passages that the examples name have no scores to weigh them by",
      field: "weights",
      expected: "passages that a retriever or BM25 found",
      found: "prepared with `passages` data",
    })
  }
  if (model.kind !== "seq2seq") return
  if (settings.trainOnPrompt) {
    return yield* new SettingsError({
      message: "an encoder-decoder writes answers alone, so it cannot be trained on prompts",
      field: "trainOnPrompt",
      hint: "leave it out",
    })
  }
  const { instructions } = train
  if (instructions !== undefined && instructions.texts.length > 0) yield* refuseTexts(model, "data", instructions.files)
  if (held !== undefined) yield* refuseTexts(model, "dev", held.files)
})

const noTexts = { texts: [], warnings: [] }

const planOf = Effect.fnUntraced(function* (
  settings: RaltSettings,
  { train: rawTrain, dev: rawDev, held, model, prompts }: Loaded,
  options: RunOptions,
) {
  const { observe } = options
  const { k, kEval = k, seed } = settings
  const { instructions } = rawTrain
  const found = yield* runQuestions(settings, { train: rawTrain.questions, dev: rawDev }, options)
  const foundBy = found.train?.header.foundBy
  yield* refuseUnfit(settings, { model, train: rawTrain, held }, foundBy)
  const train =
    found.train === undefined ? { questions: [], warnings: [] } : yield* askable(found.train.questions, prompts, "data")
  const dev = found.dev === undefined ? undefined : yield* askable(found.dev.questions, prompts, "dev")
  const alone = instructions === undefined ? noTexts : yield* labelledTexts(model, prompts, instructions.texts)
  const heldOut = held === undefined ? undefined : yield* labelledTexts(model, prompts, held.texts)
  const temperature = settings.weightTemperature ?? (foundBy?.kind === "retriever" ? foundBy.temperature : 1)
  const lora = loraFor(settings.lora, generatorPart)
  const shape = model.kind === "decoder" && model.quantized !== undefined && lora !== undefined ? lora : undefined
  const adapters = shape === undefined ? {} : { adapters: shape }
  const objective = raltObjective(model, {
    questions: train.questions,
    texts: alone.texts,
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
    heldOut !== undefined
      ? yield* measureTexts({ model, ...adapters, texts: heldOut.texts, observe })
      : dev &&
        (yield* measureAnswers({
          model,
          ...adapters,
          questions: dev.questions,
          prompts,
          k: kEval,
          seed,
          written: settings.answers,
          decidedBy: settings.closedBookShare === 1 ? "closedBook" : "retrieved",
          observe,
        }))
  const corpus = settings.corpus === undefined ? [] : [settings.corpus]
  const statistics = {
    train: countsOf(train.questions),
    dev: heldOut !== undefined ? textCounts(heldOut.texts) : dev === undefined ? null : countsOf(dev.questions),
    ...(instructions === undefined
      ? {}
      : { instructions: { texts: alone.texts.length, sets: setCounts(instructions.sets) } }),
  }
  const plan: TrainPlan<Passes<RaltBatch>, RaltBatch, PlanFailure> = {
    objective,
    measurement,
    inputs: {
      files: [...new Set([...settings.data, ...(instructions?.files ?? []), ...settings.dev, ...corpus])],
      models: Effect.sync(() => ({
        generator: generatorFingerprint(model),
        ...(foundBy?.kind === "retriever" ? { retriever: foundBy.fingerprint } : {}),
      })),
      resolved: { prompt: prompts.settings, ...(foundBy === undefined ? {} : { foundBy }), temperature },
    },
    begin: found.keep,
    facts: {
      generator: { k, kEval, ...(foundBy === undefined ? {} : { foundBy }), prompt: prompts.settings },
      statistics,
    },
    versions: { architecture: String(model.source.huggingFace["model_type"] ?? model.kind) },
    statistics,
    warnings: [
      ...[rawTrain.questions, rawDev].flatMap((set) => (set?.kind === "raw" ? set.warnings : [])),
      ...(instructions?.warnings ?? []),
      ...train.warnings,
      ...alone.warnings,
      ...(dev?.warnings ?? []),
      ...(held?.warnings ?? []),
      ...(heldOut?.warnings ?? []),
      ...(settings.dropout === "model" && model.source.kind === "onnx"
        ? ["the model is an ONNX file, which holds no dropout: it is trained without"]
        : []),
    ],
    adapters: { generator: peftDescription(model, settings.generator) },
    stepCharts: [{ title: "Padding and tokens that are not computed again", columns: ["padding", "shared"] }],
    save: (trained) =>
      saveGenerator({ run: settings.out, model, trained, ...adapters, prompt: prompts.settings, observe }),
  }
  return plan
})

type PlanFailure =
  | Effect.Error<ReturnType<typeof saveGenerator>>
  | Effect.Error<ReturnType<typeof writePrepared>>
  | Effect.Error<
      ReturnType<NonNullable<Effect.Success<ReturnType<typeof measureAnswers | typeof measureTexts>>["measure"]>>
    >

/** What was drawn of instruction sets by their names; of several with one name the later ones have a number. */
const setCounts = (sets: readonly DrawnSet[]) =>
  Object.fromEntries(
    sets.map(({ name, examples, drawn }, index) => {
      const before = sets.slice(0, index).filter((set) => set.name === name).length
      return [before === 0 ? name : `${name} ${before + 1}`, { examples, drawn }]
    }),
  )

/** What word pieces of a tiny model are made of. */
const trainedTexts = ({ questions, instructions }: TrainingData): readonly string[] => [
  ...(questions === undefined ? [] : textsOf(questions)),
  ...wordsOf(instructions?.texts ?? []),
]

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
