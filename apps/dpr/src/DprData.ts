import {
  type Example,
  formats,
  overlapWarnings,
  type Passage,
  type RetrievalData,
  sameDocumentNegatives,
} from "@tandem/datasets"
import { type ReadOptions, readExamples } from "@tandem/datasets/node/Files"
import { hasAnswer, prepareText } from "@tandem/evals"
import { namedCorpus } from "@tandem/objectives/node/Corpus"
import { SettingsError } from "@tandem/runs"
import { Bm25 } from "@tandem/store"
import { Effect } from "effect"
import { readEvaluation } from "./EvaluationExamples.ts"
import type { DprSettings } from "./Settings.ts"

/** What a run trains on and is measured with. */
export interface DprData {
  readonly train: RetrievalData
  /** Absent where no evaluation files were given. */
  readonly dev: RetrievalData | undefined
  /** Hard negatives that each question brings into its batch. */
  readonly hardNegatives: number
  /** A batch of fewer questions has nothing to learn from: 2 where questions need each other's passages. */
  readonly smallestBatch: number
  readonly warnings: readonly string[]
}

/** Reads training and evaluation examples and sees to hard negatives. */
export const loadData = Effect.fn("dpr.loadData")(function* (settings: DprSettings) {
  const { read, warnings: unread } = yield* readOptions(settings)
  const raw = yield* readExamples(settings.data, read)
  const evaluation = settings.dev.length === 0 ? undefined : yield* readEvaluation(settings.dev, read)
  const dev = evaluation?.data
  const train = withNegatives(raw, settings)
  const negatives = settings.negatives === "none" ? 0 : settings.hardNegatives
  const hardNegatives = train.statistics.withNegatives === 0 ? 0 : negatives
  if (negatives > 0 && hardNegatives === 0 && settings.negatives !== "data") {
    return yield* new SettingsError({
      message: `no question got a hard negative in the mode ${settings.negatives}`,
      field: "negatives",
      expected: "passages that share a document or words with the positives",
      found: "none",
    })
  }
  const warnings = [
    ...unread,
    ...raw.warnings.map(({ message }) => message),
    ...(evaluation?.warnings ?? []).map((message) => `evaluation: ${message}`),
    ...overlapWarnings(train.examples, dev?.examples).map(({ message }) => message),
  ]
  if (train.statistics.droppedWithoutPositive > 0) {
    warnings.push(
      `${train.statistics.droppedWithoutPositive} of ${train.statistics.rows} rows have no positive passage and were left out`,
    )
  }
  const smallestBatch = hardNegatives > 0 && train.statistics.withNegatives === train.examples.length ? 1 : 2
  yield* refuseLonely(train, settings, hardNegatives)
  if (settings.batchSize === 1 && smallestBatch > 1) {
    const without = train.examples.length - train.statistics.withNegatives
    warnings.push(
      `${without} of ${train.examples.length} questions have no negative and are alone in their batch: they teach nothing`,
    )
  } else if (settings.batchSize > 1 && smallestBatch > 1 && train.examples.length % settings.batchSize === 1) {
    warnings.push(
      `1 question would be alone in the last batch of an epoch, without negatives: it joins the batch before`,
    )
  }
  const positives = new Set(
    train.examples.flatMap(({ positives }) => positives.map((id) => train.corpus.get(id)?.text)),
  )
  if (hardNegatives === 0 && positives.size === 1) {
    warnings.push("all questions have the same passage, and none has a negative: there is nothing to tell it from")
  }
  if (train.examples.every(({ weight }) => weight === 0)) {
    return yield* new SettingsError({
      message: "every question has the weight 0, so that nothing can be learned",
      field: "weight",
      expected: "a weight above 0",
      found: `${train.examples.length} times 0`,
    })
  }
  return {
    train,
    dev,
    hardNegatives,
    smallestBatch: Math.min(smallestBatch, settings.batchSize),
    warnings,
  } satisfies DprData
})

/** Refuses batches of one question that has nothing but the other questions' passages to tell its own from. */
const refuseLonely = Effect.fnUntraced(function* (train: RetrievalData, settings: DprSettings, hardNegatives: number) {
  const alone = Math.min(settings.batchSize, train.examples.length) === 1
  if (!alone || hardNegatives > 0) return
  return yield* new SettingsError({
    message: "a question alone in its batch, without negatives, has nothing to learn from",
    field: settings.batchSize === 1 ? "batchSize" : "data",
    expected: "at least 2 questions in a batch, or hard negatives",
    found: settings.batchSize === 1 ? "a batch size of 1" : "1 question",
    hint: "raise `batchSize`, or bring hard negatives (`negatives` bm25)",
  })
})

/** The part of `readExamples`' options that flags decide, and what there is to say; an unknown format is refused. */
export const readOptions = Effect.fnUntraced(function* (settings: {
  readonly corpus?: string
  readonly format?: string
}) {
  const format = yield* knownFormat(settings.format)
  const named = settings.corpus === undefined ? undefined : yield* namedCorpus(settings.corpus)
  const read: Pick<ReadOptions, "corpus" | "format"> = {
    ...(named === undefined ? {} : { corpus: named.corpus }),
    ...(format === undefined ? {} : { format }),
  }
  return { read, warnings: named?.warnings ?? [] }
})

/** A format by its name; an unknown one is refused. */
export const knownFormat = Effect.fnUntraced(function* (name: string | undefined) {
  const format = formats.find((known) => known === name)
  if (name === undefined || format !== undefined) return format
  return yield* new SettingsError({
    message: `${name} is not a format of examples`,
    field: "format",
    expected: formats.join(", "),
    found: name,
  })
})

const withNegatives = (data: RetrievalData, settings: DprSettings): RetrievalData => {
  switch (settings.negatives) {
    case "data":
      return data
    case "none":
      return {
        ...data,
        examples: data.examples.map((example) => ({ ...example, negatives: [] })),
        statistics: { ...data.statistics, withNegatives: 0 },
      }
    case "same-document":
      return sameDocumentNegatives(data, { seed: settings.seed, perExample: settings.hardNegatives })
    case "bm25":
      return bm25Negatives(data, settings.hardNegatives)
  }
}

/** How deep BM25's list is searched for passages that are neither positives nor hold an answer. */
const bm25Depth = 30

const bm25Negatives = (data: RetrievalData, perExample: number): RetrievalData => {
  const index = Bm25.make(data.corpus.values())
  const prepared = new Map([...data.corpus.values()].map((passage) => [passage.id, prepareText(passage.text)]))
  const examples = data.examples.map((example): Example => {
    const positives = new Set(example.positives)
    const negatives: string[] = []
    for (const { id } of index.search(example.query, bm25Depth)) {
      if (negatives.length === perExample) break
      const text = prepared.get(id)
      // A question that is a document itself (BEIR) finds itself first.
      const own = example.relevance !== undefined && id === example.id
      if (!positives.has(id) && !own && text !== undefined && !hasAnswer(text, example.answers)) negatives.push(id)
    }
    return { ...example, negatives }
  })
  const withSome = examples.filter(({ negatives }) => negatives.length > 0).length
  return { ...data, examples, statistics: { ...data.statistics, withNegatives: withSome } }
}

/** The passages of both sets, each id once. */
export const wholeCorpus = ({ train, dev }: DprData): ReadonlyMap<string, Passage> =>
  new Map([...train.corpus, ...(dev?.corpus ?? [])])
