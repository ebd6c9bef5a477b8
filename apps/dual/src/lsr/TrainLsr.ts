import { join } from "node:path"
import { dualEncoderSampler } from "@tandem/collators"
import { lsrPresets } from "@tandem/losses"
import {
  allPassages,
  fixedCandidates,
  type InvalidScoresError,
  type LsrBatch,
  type LsrDraft,
  type LsrLossSettings,
  labelledPicks,
  lsrObjective,
  measureLsr,
  pickWarnings,
  positiveFirst,
  renewedCandidates,
  scorePairs,
  searchCharts,
  type TaughtCandidate,
  type TaughtQuestion,
  targetWarnings,
  teachBy,
  watchForFlight,
} from "@tandem/objectives"
import { baseModels } from "@tandem/objectives/node/BaseModels"
import { retrievalSettings } from "@tandem/objectives/node/LoadTowers"
import { retrieverFacts } from "@tandem/objectives/node/OpenRetriever"
import { openTeacher } from "@tandem/objectives/node/OpenTeacher"
import { ownTowers } from "@tandem/objectives/node/OwnTowers"
import { askableData, rawQuestions, textsOf } from "@tandem/objectives/node/Questions"
import { writeCards } from "@tandem/objectives/node/SaveRetriever"
import { openScoreFile } from "@tandem/objectives/node/ScoreFile"
import { searchedIndex } from "@tandem/objectives/node/SearchedIndex"
import { passagesOf, saveSearched, searchInTraining } from "@tandem/objectives/node/SearchInTraining"
import { readTeacherScores } from "@tandem/objectives/node/TeacherScores"
import { fingerprint, type Retrieve, towerFrom } from "@tandem/retriever"
import { progressTo, type RunOptions, type RunServices, type Systems, type TrainPlan } from "@tandem/runs"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { trainRun } from "@tandem/runs/node/TrainRun"
import type { EmbeddedStoreShape } from "@tandem/store"
import { Effect } from "effect"
import { learnsFromScores, lossOf } from "./LossOf.ts"
import { anyPrompts, findOnce, storedHits, taughtQuestions } from "./LsrData.ts"
import type { LsrSettings } from "./LsrSettings.ts"

/** The run that {@link trainLsr} is. */
export const lsrRun = (settings: LsrSettings, options: RunOptions) => ({
  command: "lsr train",
  settings,
  options,
  prepare: prepare(settings, options),
  plan: (prepared: Loaded) => planOf(settings, prepared, options),
})

/**
 * Teaches a retriever as `tandem lsr train` does: reads questions and answers, indexes the passages, has the teacher score the
 * candidates of the questions that training will see, trains, measures before and after, and leaves the run folder of
 * docs/formats.md. Every score is kept on disk as soon as it is there.
 */
export const trainLsr = Effect.fn("lsr.train")((settings: LsrSettings, options: RunOptions) =>
  trainRun(lsrRun(settings, options)),
)

const prepare = Effect.fnUntraced(function* (settings: LsrSettings, { observe }: RunOptions) {
  yield* observe({ event: "phase", name: "reading data" })
  // Scores that are there need no answers.
  const source = { ...settings, unanswered: settings.generator === undefined ? "kept" : "left out" } as const
  const train = yield* rawQuestions(settings.data, "data", source)
  const dev = settings.dev.length === 0 ? undefined : yield* rawQuestions(settings.dev, "dev", source)
  yield* observe({ event: "phase", name: "loading the models" })
  const { seed, dropout, generator } = settings
  const from = { seed, dropout, texts: () => textsOf(train) }
  const towers = yield* ownTowers(settings, from)
  const resolved = yield* retrievalSettings(settings, towers)
  const loss = lossOf(settings, resolved.temperature)
  const retrieval = { ...resolved, temperature: loss.retrieverTemperature }
  const teacher = generator === undefined ? undefined : yield* openTeacher({ ...settings, generator }, from)
  return { train, dev, towers, retrieval, loss, teacher }
})

type Loaded = Effect.Success<ReturnType<typeof prepare>>

const planOf = Effect.fnUntraced(function* (settings: LsrSettings, loaded: Loaded, { observe }: RunOptions) {
  const { train: rawTrain, dev: rawDev, towers, retrieval, loss, teacher: opened } = loaded
  const { k, seed, batchSize } = settings
  const passages = passagesOf(settings)
  const prompts = opened?.prompts ?? { ...anyPrompts, settings: null }
  const corpus = yield* allPassages([
    { data: rawTrain.data, files: settings.data },
    ...(rawDev === undefined ? [] : [{ data: rawDev.data, files: settings.dev }]),
  ])
  const store = yield* searchedIndex(settings, loaded, corpus, observe)
  const { count } = yield* store.metadata
  const asked = yield* askableData(rawTrain.data, corpus, prompts, "data")
  const evaluated = rawDev === undefined ? undefined : yield* askableData(rawDev.data, corpus, prompts, "dev")
  const questions = taughtQuestions(asked.data.examples)
  const score = opened === undefined ? undefined : yield* scoreWith(settings, opened)
  const { search, ...live } = yield* searchInTraining(settings, { towers, retrieval, store }, observe)
  const { candidates, warnings, seen } = yield* candidatesOf(
    settings,
    { ...loaded, store, questions, score, search },
    observe,
  )
  const flight = watchForFlight()
  const objective = lsrObjective(
    towers,
    { questions, retrieval, seed, k, batchSize, loss, dropout: settings.dropout, passages },
    { candidates, ...live },
  )
  const measurement =
    evaluated &&
    measureLsr({
      towers,
      dev: evaluated.data,
      corpus,
      store,
      passages,
      retrieval,
      score,
      scored: settings.likelihoods,
      observe,
    })
  const statistics = {
    train: { ...rawTrain.data.statistics, questions: questions.length },
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
  const plan: TrainPlan<readonly LsrDraft[], LsrBatch, PlanFailure> = {
    objective,
    measurement,
    inputs: {
      files: [settings.data, settings.dev, settings.corpus, settings.store, settings.scores].flatMap(
        (each) => each ?? [],
      ),
      models: Effect.gen(function* () {
        return {
          query: yield* fingerprint(towerFrom(towers, "query")),
          passage: yield* fingerprint(towerFrom(towers, "passage")),
          ...(opened === undefined ? {} : { teacher: opened.fingerprint }),
        }
      }),
      resolved: { ...retrieval, loss, prompts: towers.query.prompts, prompt: prompts.settings },
      incidental: ["scoreCache"],
    },
    facts: { retriever: retrieverFacts(towers, retrieval), lsr: { k, loss, prompt: prompts.settings }, statistics },
    versions: { architecture: towers.query.config.architecture },
    statistics,
    warnings: [
      ...rawTrain.warnings,
      ...(rawDev?.warnings ?? []).map((message) => `evaluation: ${message}`),
      ...asked.warnings,
      ...(evaluated?.warnings ?? []),
      ...(count < k ? [`there are ${count} passages, fewer than \`k\` ${k}: each question has those`] : []),
      ...(settings.dropout === "model" && [towers.query, towers.passage].some(({ source }) => source.kind === "onnx")
        ? ["a model is an ONNX file, which holds no dropout: it is trained without"]
        : []),
      ...choiceWarnings(settings, loss),
      ...warnings,
    ],
    watch: (numbers) => [...seen(), ...flight(numbers)],
    stepCharts: [
      {
        title: "How sure of the candidates: nats, the retriever and its target",
        columns: ["retrieverEntropy", "targetEntropy"],
      },
      { title: "Questions whose best candidate both agree on, a share", columns: ["agreement"] },
      { title: "Place of the target's best candidate in the retriever's order", columns: ["helpfulRank"] },
      { title: "Targets that are flat, or one candidate alone, a share", columns: ["flatShare", "oneHotShare"] },
      ...searchCharts.steps,
    ],
    save: Effect.fnUntraced(function* (trained, step, systems) {
      yield* saveSearched({ ...cards(step, systems), trained, observe }, { store, passages })
    }),
    describe: (step, systems) => writeCards(cards(step, systems)),
  }
  return plan
})

type PlanFailure =
  | Effect.Error<ReturnType<typeof saveSearched>>
  | Effect.Error<ReturnType<ReturnType<typeof lsrObjective<ScoreFailure, RunServices>>["complete"]>>
  | Effect.Error<ReturnType<ReturnType<typeof measureLsr<ScoreFailure>>["measure"]>>

type ScoreFailure =
  | InvalidScoresError
  | Effect.Error<ReturnType<Effect.Success<ReturnType<typeof scoreWith>>>>
  | Effect.Error<ReturnType<ReturnType<typeof renewedCandidates<never, never>>["taught"]>>

/** The teacher, with a file that keeps its scores. */
export const scoreWith = Effect.fnUntraced(function* (
  { out, scoreCache }: Pick<LsrSettings, "scoreCache" | "out">,
  opened: NonNullable<Loaded["teacher"]>,
) {
  const teacher = yield* opened.make
  const cache = yield* openScoreFile(scoreCache ?? join(runPaths(out).prepared, "scores.jsonl"), teacher)
  return scorePairs(teacher, cache)
})

/** Where candidates and their scores come from: a file, one search before training, or a search at each step. */
const candidatesOf = Effect.fnUntraced(function* (
  settings: LsrSettings,
  {
    towers,
    retrieval,
    loss,
    store,
    questions,
    score,
    search,
  }: Pick<Loaded, "towers" | "retrieval" | "loss"> & {
    readonly store: EmbeddedStoreShape
    readonly questions: readonly TaughtQuestion[]
    readonly score: Effect.Success<ReturnType<typeof scoreWith>> | undefined
    readonly search: Retrieve
  },
  observe: RunOptions["observe"],
) {
  const { k, scores: file } = settings
  if (file !== undefined || score === undefined) {
    const { found, warnings } = yield* readTeacherScores({
      file: file ?? "",
      questions,
      passage: yield* storedHits(store),
      kind: learnsFromScores(loss.kind) ? "score" : "likelihood",
      k,
    })
    const ordered =
      loss.kind === "margin-mse"
        ? new Map([...found].map(([question, taught]) => [question, positiveFirst(question, taught)]))
        : found
    return {
      candidates: fixedCandidates(ordered),
      warnings: [...warnings, ...warningsOf(ordered, loss)],
      seen: nothing,
    }
  }
  const teach = teachBy(score, loss.kind)
  if (settings.candidates === "fixed") {
    const found = yield* findOnce(
      { towers, retrieval, store, k },
      questionsSeen(settings, questions),
      teach,
      progressTo(observe),
    )
    return { candidates: fixedCandidates(found), warnings: warningsOf(found, loss), seen: nothing }
  }
  const enough = Math.min(enoughSeen, questions.length)
  const targets = new Map<TaughtQuestion, readonly TaughtCandidate[]>()
  const candidates = renewedCandidates({ search, k }, (some, hits) =>
    Effect.tap(teach(some, hits), (batch) =>
      Effect.sync(() => {
        if (targets.size >= enough) return
        for (const [index, question] of some.entries())
          targets.set(
            question,
            batch.hits[index]!.map(({ taught }) => taught),
          )
      }),
    ),
  )
  let told = false
  const seen = (): readonly string[] => {
    if (told || targets.size < enough) return []
    told = true
    return targetWarnings([...targets.values()], loss)
  }
  return { candidates, warnings: [], seen }
})

/** Where all targets are known before training, steps show nothing new of them. */
const nothing = (): readonly string[] => []

/** Questions after which it is clear what their targets look like. */
const enoughSeen = 200

const warningsOf = (found: Effect.Success<ReturnType<typeof findOnce>>, loss: LsrLossSettings): readonly string[] => [
  ...targetWarnings(
    [...found.values()].map((row) => row.map(({ taught }) => taught)),
    loss,
  ),
  // What `loop` is told is the likelihood without a passage.
  ...(loss.kind === "loop" ? [] : pickWarnings(labelledPicks(found))),
]

/** The questions that the steps of a run will draw: the others need no scores. */
const questionsSeen = (
  { seed, batchSize, maxSteps = Number.POSITIVE_INFINITY, accumulate }: LsrSettings,
  questions: readonly TaughtQuestion[],
): readonly TaughtQuestion[] => {
  const sampler = dualEncoderSampler({ count: questions.length, batchSize, seed })
  const drafts = maxSteps * accumulate
  if (drafts >= sampler.batchesPerEpoch) return questions
  const seen = new Set(Array.from({ length: drafts }, (_, index) => sampler.batchAt(index).indices).flat())
  return questions.filter((_, index) => seen.has(index))
}

/** What is to be said of choices that are known to go wrong. */
const choiceWarnings = (
  { preset, candidates }: Pick<LsrSettings, "preset" | "candidates">,
  loss: LsrLossSettings,
): readonly string[] => [
  ...(preset === undefined ? [] : [`\`preset\` ${preset} differs from the defaults: ${lsrPresets[preset].difference}`]),
  ...(candidates === "renewed" && loss.kind === "lsr" && loss.direction === "retriever-lm"
    ? [
        "with `candidates` renewed and `direction` retriever-lm the retriever can flee to passages that the teacher finds all alike; `direction` lm-retriever cannot",
      ]
    : []),
]
