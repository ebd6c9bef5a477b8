// Questions and paragraphs of SQuAD as training pairs, and the batches that both sides make of them.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { dualEncoderSampler } from "@tandem/collators"
import type { Passage } from "@tandem/datasets"
import { readExamples } from "@tandem/datasets/node/Files"
import { Effect } from "effect"
import { withFolder } from "./Folder.ts"

/** Settings of `tandem dpr train` that all runs share. */
export const pairSettings = {
  maxLength: 256,
  lr: 2e-5,
  schedule: "constant",
  warmup: 0,
  negatives: "none",
  seed: 0,
} as const

export interface Pair {
  readonly query: string
  readonly passage: Passage
  /** As a line of a file of examples. */
  readonly line: string
}

/** One question of each paragraph, so that no batch holds a passage twice: the peer would take it for a negative. */
export const onePairOfEachPassage = async (file: string): Promise<readonly Pair[]> => {
  const { examples, corpus } = await Effect.runPromise(readExamples([file], {}))
  const seen = new Set<string>()
  return examples.flatMap((example) => {
    const [id = ""] = example.positives
    const passage = corpus.get(id)
    if (passage === undefined || seen.has(id)) return []
    seen.add(id)
    const line = `${JSON.stringify({ id: example.id, query: example.query, positives: [passage] })}\n`
    return { query: example.query, passage, line }
  })
}

export interface PairRun {
  readonly batchSize: number
  /** How many batches the peer is given. */
  readonly batches: number
  /** Steps before the first round. */
  readonly warmup: number
  /** Steps of one round. */
  readonly steps: number
  /** The model's folder. */
  readonly model: string
  readonly dropout: number | "model"
  readonly threads: number
}

/** Writes both sides' files to a temporary folder and uses the settings of a run over them. */
export const withPairs = <A>(
  pairs: readonly Pair[],
  { batches, warmup, steps, batchSize, model, dropout, threads }: PairRun,
  use: (settings: Readonly<Record<string, unknown>>) => Promise<A>,
): Promise<A> =>
  withFolder((folder) => {
    const [examplesFile, batchesFile] = [join(folder, "examples.jsonl"), join(folder, "batches.jsonl")]
    writeFileSync(examplesFile, pairs.map(({ line }) => line).join(""))
    writeFileSync(batchesFile, batchesOf(pairs, batchSize, batches))
    const run = { data: [examplesFile], model, out: join(folder, "run"), batchSize, dropout, threads }
    return use({ warmup, steps, threads, batches: batchesFile, run: { ...pairSettings, ...run } })
  })

/** The texts of the run's batches in their order, for the peer. */
const batchesOf = (pairs: readonly Pair[], batchSize: number, batches: number): string => {
  const sampler = dualEncoderSampler({ count: pairs.length, batchSize, seed: pairSettings.seed })
  return Array.from({ length: batches }, (_, index) => {
    const { indices } = sampler.batchAt(index)
    return `${JSON.stringify(indices.map((place) => [pairs[place]!.query, pairs[place]!.passage.text]))}\n`
  }).join("")
}
