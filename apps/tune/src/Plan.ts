import type { Passage } from "@tandem/datasets"
import { encodingOf, type RetrievalSettings } from "@tandem/objectives"
import { makeTextEncoder, type Tower } from "@tandem/retriever"
import { Effect, Schema } from "effect"
import type { TuneData } from "./TuneData.ts"

/** What a reader is going to learn, and how long that takes. */
export const ReaderPlan = Schema.Struct({
  model: Schema.String,
  /** Questions with answers to train with. */
  questions: Schema.Number,
  /** Of held-out documents, to measure by; answers are written for the first 100. */
  heldOut: Schema.Number,
  epochs: Schema.Number,
  steps: Schema.Number,
  /** Estimated; a part of all. */
  seconds: Schema.Number,
})
export type ReaderPlan = typeof ReaderPlan.Type

/** What is going to be done, and how long it will take. */
export const TunePlan = Schema.Struct({
  documents: Schema.Number,
  passages: Schema.Number,
  /** Questions to train with. */
  questions: Schema.Number,
  /** Questions of held-out documents to measure by. */
  heldOut: Schema.Number,
  epochs: Schema.Number,
  steps: Schema.Number,
  /** Evaluations in training. */
  evaluations: Schema.Number,
  chunkSize: Schema.Number,
  /** What the reader learns, where there is one. */
  reader: Schema.optionalKey(ReaderPlan),
  /** Estimated, of all. */
  seconds: Schema.Number,
})
export type TunePlan = typeof TunePlan.Type

/** What decides how long tuning takes. */
export interface Amounts {
  /** Tokens of all passages, and of the passages that an epoch reads. */
  readonly corpusTokens: number
  readonly epochTokens: number
  /** Tokens that the encoder reads in a second without learning. */
  readonly tokensPerSecond: number
  readonly questions: number
  readonly batchSize: number
}

/** A step forward and backward, against reading alone; updates and padding included. */
export const trainingCost = 3.5
/** Times that all passages are read beside evaluations: before, after, with weights of 8 bits, and for the index. */
const fixedReadings = 4

/** The steps that the minutes allow, up to those of the epochs, and the seconds that all of it takes. */
export const planSteps = (
  { corpusTokens, epochTokens, tokensPerSecond, questions, batchSize }: Amounts,
  { epochs, minutes, evaluations }: { readonly epochs: number; readonly minutes: number; readonly evaluations: number },
): { readonly steps: number; readonly seconds: number } => {
  const wanted = Math.max(1, Math.ceil(questions / batchSize)) * epochs
  const reading = (corpusTokens * (fixedReadings + evaluations)) / tokensPerSecond
  const perStep = (trainingCost * epochTokens * epochs) / wanted / tokensPerSecond
  const allowed = Math.floor((60 * minutes - reading) / perStep)
  const steps = Math.max(Math.min(wanted, allowed), Math.min(wanted, fewestSteps))
  return { steps, seconds: reading + steps * perStep }
}

/** Fewer teach nothing, whatever the minutes are. */
export const fewestSteps = 20

const sampled = 48

/** How quickly passages are read: a few of them twice, since the first time compiles. */
export const measureSpeed = Effect.fnUntraced(function* (
  tower: Tower,
  retrieval: RetrievalSettings,
  corpus: readonly Passage[],
) {
  const step = Math.max(1, Math.floor(corpus.length / sampled))
  const sample = corpus.filter((_, index) => index % step === 0).slice(0, sampled)
  const tokens = tokensOf(tower, retrieval, sample)
  const { encode } = yield* makeTextEncoder(tower, encodingOf(retrieval, "passage"))
  yield* encode(sample, "passage")
  const began = performance.now()
  yield* encode(sample, "passage")
  return tokens / ((performance.now() - began) / 1000)
})

/** Tokens of passages, those that are cut off left out. */
export const tokensOf = (
  { encoder }: Tower,
  { maxLength }: RetrievalSettings,
  passages: readonly Pick<Passage, "text">[],
): number => {
  const options = { maxLength: maxLength.passage }
  return passages.reduce((sum, { text }) => sum + encoder.tokenizer.encode(text, options).ids.length, 0)
}

/** Tokens that an epoch reads: of each question, its passage and a hard negative. */
export const epochTokensOf = ({ train }: Pick<TuneData, "train">, corpusTokens: number, passages: number): number =>
  train.length * 2.2 * (corpusTokens / passages)
