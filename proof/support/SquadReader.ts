// The reader that the proofs ralt-squad and joint-squad train and ask: pairs of SQuAD with the passages that MiniLM finds for them.
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Example } from "@tandem/datasets"
import { readExamples } from "@tandem/datasets/node/Files"
import { prepareRalt, trainRalt } from "@tandem/dual"
import { raltTrainApp } from "@tandem/dual/TrainApp"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { InvalidPrompt, makePrompts, type Prompts } from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { openLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import { saveEncoder } from "@tandem/models/node/SaveEncoder"
import { foundPassages, type PreparedQuestion } from "@tandem/objectives"
import { usualTemplate } from "@tandem/objectives/generator/ReadGenerator"
import { retrieverFacts } from "@tandem/objectives/node/OpenRetriever"
import { type Prepared, readPrepared } from "@tandem/objectives/node/PreparedFile"
import { Random } from "@tandem/random"
import { sharedTower } from "@tandem/retriever"
import { decodeTrainSettings, type RunEvent } from "@tandem/runs"
import { writeJson } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect } from "effect"

/** What both sides are trained with and asked by. */
export const readerSettings = {
  k: 3,
  lora: "16:32",
  lr: 2e-4,
  batchSize: 4,
  epochs: 1,
  warmup: 0.1,
  schedule: "linear",
  weightDecay: 0.01,
  clip: 1,
  reduction: "token",
  maxPrompt: 512,
  maxAnswer: 32,
  seed: 0,
  threads: 2,
} as const

const retrieval = {
  similarity: "cosine",
  temperature: 0.05,
  maxLength: { query: 256, passage: 256 },
  titles: "none",
} as const

/** Where proofs with these counts keep their runs; what one of them has trained the others need not. */
export const squadFolder = (root: string, counts: { readonly pairs: number; readonly questions: number }): string =>
  join(root, "runs", `squad-${counts.pairs}-${counts.questions}`)

/** A generator's settings, of any training, and how a run that was killed goes on. */
export const readerRun = (generator: string, out: string) => {
  const { k: _k, lr: _lr, reduction: _reduction, ...shared } = readerSettings
  return { ...shared, generator, out, saveAdapters: true, saveEvery: 5, resume: existsSync(runPaths(out).config) }
}

/** Whether a run is there, ended. */
export const isDone = (out: string): boolean => {
  const { report } = runPaths(out)
  return existsSync(report) && JSON.parse(readFileSync(report, "utf8")).status === "completed"
}

/** Steps and warnings of a run, as a proof's lines. */
export const told = (log: (line: string) => void) => (event: RunEvent) =>
  Effect.sync(() => {
    if (event.event === "step") log(`step ${event.step}: loss ${event.loss.toFixed(4)}, ${event.seconds.toFixed(1)} s`)
    if (event.event === "warning") log(event.message)
  })

/** Fine-tunes the reader alone; its run's folder. */
export const trainSquadReader = async (
  work: string,
  generator: string,
  { trainFile }: Pick<ReaderMaterial, "trainFile">,
  log: (line: string) => void,
): Promise<string> => {
  const out = join(work, "reader")
  if (isDone(out)) return out
  const { k, lr, reduction } = readerSettings
  const given = { ...readerRun(generator, out), data: trainFile, k, lr, reduction }
  const settings = decodeTrainSettings(raltTrainApp, given)
  await Effect.runPromise(Effect.flatMap(settings, (decoded) => trainRalt(decoded, { observe: told(log) })))
  return out
}

/** Where things lie. */
export interface ReaderFolders {
  /** Holds all that a proof that was killed goes on from. */
  readonly work: string
  /** SQuAD's `train.json` and `dev.json`. */
  readonly squad: string
  readonly encoder: string
  readonly generator: string
}

/** What is trained on and asked, and how. */
export interface ReaderMaterial {
  readonly model: LanguageModel
  readonly prompts: Prompts
  readonly trainFile: string
  readonly train: readonly PreparedQuestion[]
  readonly dev: readonly PreparedQuestion[]
  readonly retrieval: { readonly train: RetrievedShares; readonly dev: RetrievedShares }
}

/** Shares of the questions whose answer's paragraph is the first, or among all, of the passages that were found. */
export interface RetrievedShares {
  readonly passages: number
  readonly first: number
  readonly among: number
}

/** Draws pairs and questions, and finds their passages, each set among the paragraphs of its own articles. */
export const readerMaterial = Effect.fnUntraced(function* (
  folders: ReaderFolders,
  counts: { readonly pairs: number; readonly questions: number },
  log: (line: string) => void,
) {
  const model = yield* openLanguageModel(folders.generator)
  const { maxPrompt, maxAnswer } = readerSettings
  const prompts = makePrompts(model, { template: usualTemplate(model), maxPrompt, maxAnswer })
  const retriever = join(folders.work, "retriever")
  if (!existsSync(runPaths(retriever).config)) yield* encoderAsRun(folders.encoder, retriever)
  const of = Effect.fnUntraced(function* (name: "train" | "dev", count: number) {
    const out = join(folders.work, `${name}.jsonl`)
    if (!existsSync(out)) {
      log(`finding passages: ${name}`)
      const drawn = yield* drawQuestions(join(folders.squad, `${name}.json`), count, prompts)
      const files = {
        data: join(folders.work, `${name}-pairs.jsonl`),
        corpus: join(folders.work, `${name}-corpus.jsonl`),
      }
      yield* Effect.promise(() => writeWhole(files.data, lines(drawn.questions)))
      yield* Effect.promise(() => writeWhole(files.corpus, lines(drawn.passages)))
      const { k, threads } = readerSettings
      yield* prepareRalt(
        { data: [files.data], corpus: files.corpus, retriever, k, out, device: "cpu", threads },
        { observe: () => Effect.void },
      )
    }
    const corpus = yield* readExamples(join(folders.work, `${name}-pairs.jsonl`), {
      corpus: join(folders.work, `${name}-corpus.jsonl`),
    })
    return { file: out, ...shares(yield* readPrepared(out), corpus.corpus.size) }
  })
  const train = yield* of("train", counts.pairs)
  const dev = yield* of("dev", counts.questions)
  const material: ReaderMaterial = {
    model,
    prompts,
    trainFile: train.file,
    train: train.questions,
    dev: dev.questions,
    retrieval: { train: train.found, dev: dev.found },
  }
  return material
})

/** A file of JSON Lines. */
export const lines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("")

/** An encoder as a run folder's retriever, as it comes. */
export const encoderAsRun = Effect.fnUntraced(function* (folder: string, run: string) {
  const encoder = yield* loadEncoder(folder)
  const paths = runPaths(run)
  yield* saveEncoder(paths.retriever, encoder, encoder.parameters)
  yield* writeJson(paths.config, { format: 1, retriever: retrieverFacts(sharedTower(encoder), retrieval) })
})

/** Questions in drawn order whose first answer is short enough for a prompt, and all paragraphs of their file. */
export const drawQuestions = Effect.fnUntraced(function* (
  file: string,
  count: number,
  prompts: Pick<Prompts, "answer">,
) {
  const { examples, corpus } = yield* readExamples(file)
  const fits = ({ answers: [first = ""] }: Example): boolean => {
    try {
      prompts.answer(first)
      return true
    } catch (cause) {
      if (cause instanceof InvalidPrompt) return false
      throw cause
    }
  }
  const drawn = Random.fromSeed(readerSettings.seed).derive("questions").shuffle(examples)
  return {
    questions: drawn
      .filter(fits)
      .slice(0, count)
      .map(({ id, query, answers, positives }) => ({ id, query, answers, positives })),
    passages: [...corpus.values()],
  }
})

const shares = ({ questions }: Prepared, passages: number) => {
  const share = (holds: (question: PreparedQuestion) => boolean) => questions.filter(holds).length / questions.length
  const found: RetrievedShares = {
    passages,
    first: share((question) => foundPassages(question)[0]?.gold === true),
    among: share((question) => foundPassages(question).some(({ gold }) => gold === true)),
  }
  return { questions, found }
}
