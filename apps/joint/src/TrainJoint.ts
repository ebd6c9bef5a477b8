import type { Example } from "@tandem/datasets"
import {
  allPassages,
  collapseWatch,
  goldOf,
  type JointFailure,
  type JointModels,
  type JointQuestion,
  jointObjective,
  type Labelled,
  type LiveIndexFailure,
  measureJoint,
  type SearchedBatch,
  type SearchedDraft,
  searchCharts,
} from "@tandem/objectives"
import { baseModels } from "@tandem/objectives/node/BaseModels"
import { generatorFingerprint } from "@tandem/objectives/node/LoadGenerator"
import { retrievalSettings } from "@tandem/objectives/node/LoadTowers"
import { openGenerator } from "@tandem/objectives/node/OpenGenerator"
import { retrieverFacts } from "@tandem/objectives/node/OpenRetriever"
import { ownTowers } from "@tandem/objectives/node/OwnTowers"
import { askableData, rawQuestions, textsOf } from "@tandem/objectives/node/Questions"
import { peftDescription, saveGenerator } from "@tandem/objectives/node/SaveGenerator"
import { type SaveFailure, writeCards } from "@tandem/objectives/node/SaveRetriever"
import { searchedIndex } from "@tandem/objectives/node/SearchedIndex"
import { passagesOf, saveSearched, searchInTraining } from "@tandem/objectives/node/SearchInTraining"
import { fingerprint, towerFrom } from "@tandem/retriever"
import { type RunOptions, SettingsError, type Systems, type TrainPlan } from "@tandem/runs"
import { trainRun } from "@tandem/runs/node/TrainRun"
import type { EmbeddedStoreShape, StoreAccessError } from "@tandem/store"
import { Effect } from "effect"
import type { JointSettings } from "./Settings.ts"

/**
 * The run that `trainJoint` is, as `trainRun` takes it: what is to differ, an objective's program say, is changed in what its
 * `plan` gives.
 */
export const jointRun = (settings: JointSettings, options: RunOptions) => ({
  command: "joint train",
  settings,
  options,
  prepare: prepare(settings, options),
  plan: (prepared: Loaded) => planOf(settings, prepared, options),
})

/**
 * Trains a retriever and a generator together as `tandem joint train` does: reads questions and answers, indexes the
 * passages, measures the system before, trains, measures again, and leaves the run folder of docs/formats.md: both models,
 * the index, metrics and report.
 */
export const trainJoint = Effect.fn("joint.train")((settings: JointSettings, options: RunOptions) =>
  trainRun(jointRun(settings, options)),
)

const prepare = Effect.fnUntraced(function* (settings: JointSettings, { observe }: RunOptions) {
  yield* observe({ event: "phase", name: "reading data" })
  const train = yield* rawQuestions(settings.data, "data", settings)
  const dev = settings.dev.length === 0 ? undefined : yield* rawQuestions(settings.dev, "dev", settings)
  yield* observe({ event: "phase", name: "loading the models" })
  const texts = () => textsOf(train)
  const { seed, dropout } = settings
  const towers = yield* ownTowers(settings, { seed, dropout, texts })
  const retrieval = yield* retrievalSettings(settings, towers)
  const generator = yield* openGenerator(settings, { seed, texts })
  return { train, dev, towers, retrieval, ...generator }
})

type Loaded = Effect.Success<ReturnType<typeof prepare>>

const planOf = Effect.fnUntraced(function* (settings: JointSettings, loaded: Loaded, options: RunOptions) {
  const { observe } = options
  const { train: rawTrain, dev: rawDev, towers, retrieval, model: generator, prompts } = loaded
  const { k, kEval = k, seed, loss, train: parts } = settings
  const passages = passagesOf(settings)
  const models: JointModels = { towers, generator }
  if (generator.kind === "decoder" && (generator.frozen?.size ?? 0) > 0 && parts.includes("generator")) {
    return yield* new SettingsError({
      message: "the generator's weights are quantised",
      field: "generator",
      file: settings.generator,
      expected: "weights of full precision: safetensors, or onnx/model.onnx",
      found: `${generator.frozen?.size} quantised tensors`,
      hint: "or train the retriever alone with `train` query",
    })
  }
  if (generator.kind === "seq2seq" && settings.renewEvery !== undefined) {
    return yield* new SettingsError({
      message: "an encoder-decoder cannot go on with an answer after passages were searched again",
      field: "renewEvery",
      expected: "a decoder as `generator`",
      found: String(generator.source.huggingFace["model_type"] ?? generator.kind),
      hint: "leave it out: passages are searched once then",
    })
  }
  const corpus = yield* allPassages([
    { data: rawTrain.data, files: settings.data },
    ...(rawDev === undefined ? [] : [{ data: rawDev.data, files: settings.dev }]),
  ])
  const store = yield* searchedIndex(settings, loaded, corpus, observe)
  const { count } = yield* store.metadata
  const asked = yield* askableData(rawTrain.data, corpus, prompts, "data")
  const evaluated = rawDev === undefined ? undefined : yield* askableData(rawDev.data, corpus, prompts, "dev")
  const { labels, warnings: unlabelled } = yield* labelsOf(settings, asked.data.examples, store)
  const searched = yield* searchInTraining(settings, { towers, retrieval, store }, observe)
  const objective = jointObjective(
    models,
    {
      questions: asked.questions,
      prompts,
      retrieval,
      seed,
      k,
      loss,
      batchSize: settings.batchSize,
      labelSmoothing: settings.labelSmoothing,
      passTokens: settings.passTokens,
      dropout: settings.dropout,
      passages,
      ...(settings.renewEvery === undefined ? {} : { renewEvery: settings.renewEvery }),
      ...(labels === undefined ? {} : { labels, retrievalLossWeight: settings.retrievalLossWeight }),
    },
    searched,
  )
  const measurement =
    evaluated &&
    (yield* measureJoint({
      models,
      dev: evaluated.data,
      corpus,
      store,
      passages,
      retrieval,
      prompts,
      k: kEval,
      loss,
      ...(settings.renewEvery === undefined ? {} : { renewEvery: settings.renewEvery }),
      seed,
      written: settings.answers,
      observe,
    }))
  const statistics = {
    train: { ...rawTrain.data.statistics, questions: asked.questions.length },
    dev: evaluated === undefined ? null : { ...evaluated.data.statistics, questions: evaluated.data.examples.length },
    passages: count,
  }
  const cards = (step: number, systems: Systems | undefined) => ({
    run: settings.out,
    towers,
    retrieval,
    step,
    card: { bases: baseModels({ ...settings, untied: true }), train: rawTrain.data.statistics, systems },
  })
  const encoders = [towers.query, towers.passage]
  const plan: TrainPlan<SearchedDraft, SearchedBatch, PlanFailure> = {
    objective,
    measurement,
    inputs: {
      files: [
        ...settings.data,
        ...settings.dev,
        ...(settings.corpus === undefined ? [] : [settings.corpus]),
        ...(settings.store === undefined ? [] : [settings.store]),
      ],
      models: Effect.gen(function* () {
        return {
          query: yield* fingerprint(towerFrom(towers, "query")),
          passage: yield* fingerprint(towerFrom(towers, "passage")),
          generator: generatorFingerprint(generator),
        }
      }),
      resolved: { ...retrieval, prompts: towers.query.prompts, prompt: prompts.settings },
    },
    facts: {
      retriever: retrieverFacts(towers, retrieval),
      generator: { k, kEval, loss, renewEvery: settings.renewEvery ?? null, prompt: prompts.settings },
      statistics,
    },
    versions: {
      architecture: towers.query.config.architecture,
      generator: String(generator.source.huggingFace["model_type"] ?? generator.kind),
    },
    statistics,
    warnings: [
      ...rawTrain.warnings,
      ...(rawDev?.warnings ?? []).map((message) => `evaluation: ${message}`),
      ...asked.warnings,
      ...unlabelled,
      ...(evaluated?.warnings ?? []),
      ...(count < k ? [`there are ${count} passages, fewer than \`k\` ${k}: questions are asked with those`] : []),
      ...(settings.dropout === "model" && [...encoders, generator].some(({ source }) => source.kind === "onnx")
        ? ["a model is an ONNX file, which holds no dropout: it is trained without"]
        : []),
    ],
    watch: collapseWatch({ k }),
    adapters: { generator: peftDescription(generator, settings.generator) },
    stepCharts: [
      {
        title: "How sure of the passages: nats, before and after the answer is known",
        columns: ["priorEntropy", "posteriorEntropy"],
      },
      { title: "What answers tell of passages, nats", columns: ["learned"] },
      { title: "Different passages among those found last, a share", columns: ["distinct"] },
      ...searchCharts.steps,
    ],
    save: Effect.fnUntraced(function* (trained, step, systems) {
      yield* saveGenerator({ run: settings.out, model: generator, trained, prompt: prompts.settings, observe })
      yield* saveSearched({ ...cards(step, systems), trained, observe }, { store, passages })
    }),
    describe: (step, systems) => writeCards(cards(step, systems)),
  }
  return plan
})

/** What the data say of training questions' passages, where that is to teach the retriever. */
const labelsOf = Effect.fnUntraced(function* (
  { retrievalLossWeight, data }: JointSettings,
  examples: readonly Example[],
  store: EmbeddedStoreShape,
) {
  if (retrievalLossWeight === 0) return { labels: undefined, warnings: [] }
  const { identity, passages, vectors } = yield* store.contents
  const places = new Map(passages.map(({ id }, place) => [id, place]))
  const known = new Map<string, Labelled>()
  for (const example of examples) {
    const ids = goldOf(example)
    const place = [...ids].flatMap((id) => places.get(id) ?? [])[0]
    if (place === undefined) continue
    const vector = vectors.subarray(place * identity.dimension, (place + 1) * identity.dimension)
    known.set(example.id, { ids, hit: { passage: passages[place]!, score: 0, vector } })
  }
  if (known.size === 0) {
    return yield* new SettingsError({
      message: "no training question has a passage that answers it and is searched",
      field: "retrievalLossWeight",
      file: data.join(", "),
      expected: "`positives` among the passages, of some questions at least",
      found: `${examples.length} questions without`,
      hint: "leave it out: questions and answers are enough",
    })
  }
  const lacking = examples.length - known.size
  return {
    labels: ({ id }: JointQuestion) => known.get(id),
    warnings:
      lacking === 0 ? [] : [`${lacking} of ${examples.length} questions have no labels, and learn from answers alone`],
  }
})

type PlanFailure =
  | JointFailure
  | LiveIndexFailure
  | SaveFailure
  | Effect.Error<ReturnType<typeof saveGenerator>>
  | StoreAccessError
