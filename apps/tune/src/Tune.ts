import { existsSync } from "node:fs"
import { join } from "node:path"
import { corpusLines, type Example, exampleLines } from "@tandem/datasets"
import { writeText } from "@tandem/datasets/node/Write"
import { approximateTokens, type Chunk, type ChunkOptions, countBy, isProblem, makeChunker } from "@tandem/documents"
import { noDocuments, passageTokens, problemWarnings } from "@tandem/documents/node/DocumentPassages"
import { readDocuments } from "@tandem/documents/node/ReadDocuments"
import { type AddedDocuments, addDocuments, DprSettings, trainDpr } from "@tandem/dpr"
import type { Prompts } from "@tandem/generator"
import { preparedQuestion, searchTowers } from "@tandem/objectives"
import { loadTowers, retrievalSettings } from "@tandem/objectives/node/LoadTowers"
import { openGenerator } from "@tandem/objectives/node/OpenGenerator"
import { askable } from "@tandem/objectives/node/Questions"
import { Random } from "@tandem/random"
import { encoderOf } from "@tandem/retriever"
import { type RunOptions, type RunReport, SettingsError } from "@tandem/runs"
import { readRecord, writeJson } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Schema, Stream } from "effect"
import { differentChunks } from "./DifferentChunks.ts"
import { TooFewQuestionsError } from "./Errors.ts"
import type { ModelQuestionsOptions } from "./ModelQuestions.ts"
import { epochTokensOf, measureSpeed, planSteps, type ReaderPlan, TunePlan, tokensOf } from "./Plan.ts"
import { measureReader, planReader, readerQuestions } from "./ReaderPlan.ts"
import type { TuneSettings } from "./Settings.ts"
import { isTiny, readerFolder, tinyReader, trainReader } from "./TrainReader.ts"
import { type TuneData, tuneData } from "./TuneData.ts"
import { finishedReport, writeTuneReport } from "./TuneReport.ts"

export interface TuneOptions extends Pick<RunOptions, "observe" | "stopRequested"> {
  /** Hears what is going to be done before it is. */
  readonly planned?: (plan: TunePlan) => Effect.Effect<void>
}

/** What came of it. */
export interface Tuned {
  readonly plan: TunePlan
  /** Of the retriever's training: figures on held-out documents before and after, with intervals. */
  readonly report: RunReport
  /** Of the reader's training, where there is one: figures of its answers to held-out questions before and after. */
  readonly reader?: RunReport
  /** The index of the documents; absent where training was stopped. */
  readonly index?: AddedDocuments
}

/**
 * Tunes a retriever on a folder of documents: reads and divides them, makes weak questions of headings and sentences, or has
 * a model write questions, looks for hard negatives, says how long the rest will take, trains, measures on documents that
 * were held out, and indexes all of them. The run folder is one of `tandem dpr train`, so that search, serving and `tandem
 * store add` take it; what was made of the documents lies in its `tune/`.
 *
 * With `reader` a language model learns to answer the questions from what the tuned retriever finds, in the run folder
 * `reader/`; then the whole is asked and served as one, and `tune/report.html` shows both halves. The answers are the model's
 * that writes the questions: without `questions` there are none, which ends in `SettingsError`.
 *
 * Documents of which fewer than 16 questions to train with, or 4 to measure by, can be made end in `TooFewQuestionsError`.
 */
export const tune = Effect.fn("tune")(function* (settings: TuneSettings, options: TuneOptions) {
  const { folder, out, device = "cpu", threads } = settings
  if (settings.reader !== undefined && settings.questions === undefined) {
    return yield* new SettingsError({
      message: "a reader learns answers, and headings and sentences are none",
      field: "reader",
      expected: "`questions` beside it: settings of a data pipeline, whose model writes questions and their answers",
      hint: "name a pipeline, or tune the retriever alone",
    })
  }
  const files = filesOf(out)
  const isBegun = existsSync(files.plan)
  if (isBegun && settings.resume !== true) {
    return yield* new SettingsError({
      message: `${out} holds a run already`,
      file: out,
      field: "out",
      hint: "choose another folder, or go on with `resume`",
    })
  }
  const plan = isBegun ? yield* recordedPlan(settings) : yield* prepared(settings, options)
  yield* options.planned?.(plan) ?? Effect.void
  const chosen = yield* Schema.decodeUnknownEffect(DprSettings)({
    ...{ data: [files.train], dev: [files.dev], corpus: files.corpus, out, noIndex: true },
    ...trainingOf(settings),
    epochs: plan.epochs,
    maxSteps: plan.steps,
    evalEvery: Math.ceil(plan.steps / plan.evaluations),
    saveEvery: 40,
    resume: existsSync(runPaths(out).config),
  }).pipe(Effect.orDie)
  // With a reader a run may be gone on with long after the retriever was done.
  const done = plan.reader === undefined ? undefined : yield* finishedReport(out)
  const report = done ?? (yield* trainDpr(chosen, options))
  if (report.status !== "completed") return { plan, report } satisfies Tuned as Tuned
  const index = yield* addDocuments(
    { run: out, folder, chunkSize: plan.chunkSize, device, ...(threads === undefined ? {} : { threads }) },
    options,
  )
  if (plan.reader === undefined) return { plan, report, index } satisfies Tuned as Tuned
  const learned = { train: files.readerTrain, dev: files.readerDev, corpus: files.corpus }
  const reader =
    (yield* finishedReport(readerFolder(out))) ?? (yield* trainReader(settings, plan.reader, learned, options))
  yield* writeTuneReport(files, { plan, retriever: report, reader })
  return { plan, report, reader, index } satisfies Tuned as Tuned
})

const filesOf = (out: string) => ({
  corpus: join(out, "tune/corpus.jsonl"),
  train: join(out, "tune/train.jsonl"),
  dev: join(out, "tune/dev.jsonl"),
  readerTrain: join(out, "tune/reader-train.jsonl"),
  readerDev: join(out, "tune/reader-dev.jsonl"),
  plan: join(out, "tune/plan.json"),
  report: join(out, "tune/report.json"),
  page: join(out, "tune/report.html"),
})

/** Settings of training that the start decides; what is absent is as the model's files say. */
interface TrainingChoice {
  readonly model: string
  readonly seed: number
  readonly batchSize: number
  readonly device: NodeProvider | "auto"
  readonly threads?: number
  readonly lr: number
  readonly temperature?: number
  readonly maxLength?: { readonly query: number; readonly passage: number }
  readonly tiny?: typeof tinySizes
}

const tinySizes = { hidden: 128, layers: 2, heads: 4, intermediate: 512, vocabulary: 8000 }

/** What training is told of the model, by where it starts from. */
const trainingOf = (settings: TuneSettings): TrainingChoice => {
  const { model, seed = 0, batchSize = 32, device = "cpu", threads } = settings
  const common = { model, seed, batchSize, device, ...(threads === undefined ? {} : { threads }) }
  return isTiny(settings.model)
    ? { ...common, lr: 1e-3, temperature: 0.1, maxLength: longestOf(256), tiny: tinySizes }
    : { ...common, lr: 1e-4 }
}

const longestOf = (own: number) => ({ query: Math.min(64, own), passage: Math.min(256, own) })

const Recorded = Schema.Struct({
  format: Schema.Literal(1),
  /** What decided the data, as JSON. */
  made: Schema.String,
  plan: TunePlan,
})

/** What decides data and plan; a resumed run has to be told the same. */
const madeOf = (settings: TuneSettings): string => {
  const { folder, model, minutes, epochs, chunkSize, perPassage, heldOut, batchSize, seed, questions, reader } =
    settings
  const data = { folder, model, minutes, epochs, chunkSize, perPassage, heldOut, batchSize, seed, questions }
  return JSON.stringify({ ...data, reader })
}

const recordedPlan = Effect.fnUntraced(function* (settings: TuneSettings) {
  const { plan: file } = filesOf(settings.out)
  const { made, plan } = yield* readRecord(file, Recorded)
  if (made === madeOf(settings)) return plan
  return yield* new SettingsError({
    message: "the run was begun with other settings",
    file,
    field: "resume",
    expected: made,
    found: madeOf(settings),
    hint: "give the same settings, or choose another `out`",
  })
})

/** Makes the data of the documents, plans, and writes both; the plan comes last and says that the data are whole. */
const prepared = Effect.fnUntraced(function* (settings: TuneSettings, { observe }: TuneOptions) {
  const { folder, out, seed = 0, batchSize = 32, minutes = 20, perPassage = 2, heldOut = 0.15 } = settings
  const { device = "cpu", threads, epochs = isTiny(settings.model) ? 10 : 2 } = settings
  const phase = (name: string) => observe({ event: "phase", name })
  const models = { ...trainingOf(settings), untied: false }
  const load = (texts: () => readonly string[]) => loadTowers(models, { seed, dropout: "model", texts })
  yield* phase("loading the model")
  const opened = isTiny(settings.model) ? undefined : yield* load(() => [])
  const limits = opened === undefined ? longestOf(256) : (yield* retrievalSettings(models, opened)).maxLength
  const chunkSize = settings.chunkSize ?? Math.min(passageTokens, Math.floor(0.9 * limits.passage))
  const tokenizer = opened === undefined ? undefined : encoderOf(opened, "passage").tokenizer
  const countTokens = tokenizer === undefined ? approximateTokens : countBy(tokenizer)

  yield* phase("reading documents")
  const { chunks, documents, problems } = yield* chunksOf(folder, { maxTokens: chunkSize, countTokens })
  for (const message of problemWarnings(problems)) yield* observe({ event: "warning", message })
  if (chunks.length === 0) return yield* noDocuments(folder, problems)
  yield* phase("making questions")
  const written = yield* writtenQuestions(settings, differentChunks(chunks), {
    observe,
    perChunk: perPassage,
    answers: settings.reader !== undefined,
  })
  const data = tuneData(chunks, { seed, heldOut, perChunk: perPassage, ...written })
  if (data.train.length < fewest.train || data.dev.length < fewest.dev) {
    return yield* new TooFewQuestionsError({
      message: `${folder} holds too little text to tune a retriever on`,
      file: folder,
      expected: `at least ${fewest.train} questions to train with and ${fewest.dev} to measure by`,
      found: `${data.train.length} and ${data.dev.length}, of ${chunks.length} passages`,
      hint: "add documents; a folder as small is searched well without training: `store add` takes a `model`",
    })
  }

  yield* phase("estimating the time")
  const texts = () => [...data.corpus.map(({ text }) => text), ...data.train.map(({ query }) => query)]
  const towers = opened ?? (yield* load(texts))
  const retrieval = yield* retrievalSettings(models, towers)
  const { passage } = searchTowers(towers)
  const speed = measureSpeed(passage, retrieval, data.corpus)
  const tokensPerSecond = yield* Effect.provide(
    Effect.scoped(speed),
    layer({ device, ...(threads === undefined ? {} : { threads }) }),
  )
  const corpusTokens = tokensOf(passage, retrieval, data.corpus)
  const epochTokens = epochTokensOf(data, corpusTokens, data.corpus.length)
  // At the end alone: weights that were chosen by what they are measured by would look better than they are.
  const evaluations = 1
  const amounts = { corpusTokens, epochTokens, tokensPerSecond, questions: data.train.length, batchSize }
  const reader = settings.reader === undefined ? undefined : yield* readerData(settings.reader, settings, data)
  const share = reader === undefined ? minutes : minutes / 2
  const { steps, seconds } = planSteps(amounts, { epochs, minutes: share, evaluations })
  // The retriever that is tuned finds the reader's passages among all of them.
  const finding = reader === undefined ? 0 : corpusTokens / tokensPerSecond
  const left = minutes - (seconds + finding) / 60
  const learning = reader && planReader(reader.speed, { ...reader.amounts, minutes: left })
  const plan: TunePlan = {
    documents,
    passages: data.corpus.length,
    questions: data.train.length,
    heldOut: data.dev.length,
    ...{ epochs, steps, evaluations, chunkSize },
    ...(reader === undefined || learning === undefined
      ? {}
      : {
          reader: {
            ...{ model: reader.model, ...reader.amounts, steps: learning.steps },
            seconds: Math.ceil(learning.seconds + finding),
          } satisfies ReaderPlan,
        }),
    seconds: Math.ceil(seconds + finding + (learning?.seconds ?? 0)),
  }
  const files = filesOf(out)
  yield* writeText(files.corpus, corpusLines(data.corpus))
  yield* writeText(files.train, exampleLines(data.train))
  yield* writeText(files.dev, exampleLines(data.dev))
  if (reader !== undefined) {
    yield* writeText(files.readerTrain, exampleLines(reader.train))
    yield* writeText(files.readerDev, exampleLines(reader.dev))
  }
  yield* writeJson(files.plan, { format: 1, made: madeOf(settings), plan })
  return plan
})

/** What a reader learns and is measured by, and how quickly it reads and writes here. */
const readerData = Effect.fnUntraced(function* (
  model: string,
  { folder, seed = 0, device = "cpu", threads, epochs = isTiny(model) ? 10 : 1 }: TuneSettings,
  data: TuneData,
) {
  const answered = readerQuestions(data, Random.fromSeed(seed).derive("reader"))
  const few = (train: readonly Example[], dev: readonly Example[]) =>
    train.length >= fewest.train && dev.length >= fewest.dev
      ? Effect.void
      : new TooFewQuestionsError({
          message: `${folder} holds too few questions with answers to train a reader on`,
          file: folder,
          expected: `at least ${fewest.train} to train with and ${fewest.dev} to measure by`,
          found: `${train.length} and ${dev.length}`,
          hint: "add documents, or leave `reader` out",
        })
  yield* few(answered.train, answered.dev)
  const texts = () => [...data.corpus.map(({ text }) => text), ...answered.train.flatMap(textsOf)]
  const opened = yield* openGenerator({ generator: model, tiny: tinyReader }, { seed, texts })
  const train = yield* fitting(answered.train, opened.prompts, "data")
  const dev = yield* fitting(answered.dev, opened.prompts, "dev")
  yield* few(train, dev)
  const speed = yield* Effect.provide(
    Effect.scoped(measureReader(opened, train, data.corpus)),
    layer({ device, ...(threads === undefined ? {} : { threads }) }),
  )
  return { model, train, dev, speed, amounts: { questions: train.length, heldOut: dev.length, epochs } }
})

/** The questions whose answers are no longer than the reader writes. */
const fitting = Effect.fnUntraced(function* (examples: readonly Example[], prompts: Prompts, field: "data" | "dev") {
  const { questions } = yield* askable(
    examples.map((example) => preparedQuestion(example, [], new Map())),
    prompts,
    field,
  )
  const kept = new Set(questions.map(({ id }) => id))
  return examples.filter(({ id }) => kept.has(id))
})

const textsOf = ({ query, answers }: Example): readonly string[] => [query, ...answers]

/** Questions of a model, where one is named. */
const writtenQuestions = Effect.fnUntraced(function* (
  { questions, folder, out }: TuneSettings,
  chunks: readonly Chunk[],
  options: ModelQuestionsOptions,
) {
  if (questions === undefined) return {}
  const path = { ...questions.path, input_dir: folder, output_dir: join(out, "tune") }
  // What asks models is not loaded where nothing is asked.
  const { modelQuestions } = yield* Effect.promise(() => import("./ModelQuestions.ts"))
  return { questions: yield* modelQuestions({ ...questions, path }, chunks, options) }
})

const fewest = { train: 16, dev: 4 }

const chunksOf = Effect.fnUntraced(function* (folder: string, options: ChunkOptions) {
  const chunk = yield* Effect.try({
    try: () => makeChunker(options),
    catch: () =>
      new SettingsError({
        message: "documents cannot be divided so",
        field: "chunkSize",
        expected: "16 tokens or more",
        found: `${options.maxTokens}`,
      }),
  })
  const items = yield* Stream.runCollect(
    Stream.map(readDocuments(folder), (item) => (isProblem(item) ? item : { chunks: chunk(item) })),
  )
  const chunks: Chunk[] = []
  for (const item of items) if (!isProblem(item)) chunks.push(...item.chunks)
  const problems = items.filter(isProblem)
  return { chunks, documents: items.length - problems.length, problems }
})
