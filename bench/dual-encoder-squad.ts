// Training as it really runs: pairs of SQuAD in random batches, of their own lengths, against sentence-transformers
// with its loss for in-batch negatives; the same model, batches and rate, without dropout and with the model's own.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { dualEncoderSampler } from "@tandem/collators"
import type { Passage } from "@tandem/datasets"
import { readExamples } from "@tandem/datasets/node/Files"
import { Effect } from "effect"
import { folderOf } from "../proof/support/DprProof.ts"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, compare } from "./support/Compare.ts"

const cases = [
  { batchSize: 16, dropout: 0, atLeast: 1.25 },
  { batchSize: 32, dropout: 0, atLeast: 1.25 },
  { batchSize: 16, dropout: "model", atLeast: 2 },
  { batchSize: 32, dropout: "model", atLeast: 2 },
] as const
const rounds = 5
const steps = 6
const seed = 0
const common = { maxLength: 256, lr: 2e-5, schedule: "constant", warmup: 0, negatives: "none" } as const

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const model = join(folderOf("TANDEM_MODELS", "all-MiniLM-L6-v2"), "all-MiniLM-L6-v2")
  const data = join(folderOf("TANDEM_DATA", "squad"), "squad/train.json")
  const threads = availableParallelism()
  const pairs = await onePairOfEachPassage(data)
  const figures: Record<string, Compared> = {}
  const holds: Record<string, boolean> = {}
  for (const { batchSize, dropout, atLeast } of cases) {
    const name = `batches of ${batchSize}, dropout ${dropout}`
    if (args.length > 0 && !args.includes(name)) continue
    const folder = mkdtempSync(join(tmpdir(), "tandem-bench-"))
    try {
      const [examples, batches] = [join(folder, "examples.jsonl"), join(folder, "batches.jsonl")]
      writeFileSync(examples, pairs.map(({ line }) => line).join(""))
      writeFileSync(batches, batchesOf(pairs, batchSize))
      const settings = {
        steps,
        threads,
        batches,
        run: { ...common, data: [examples], model, out: join(folder, "run"), batchSize, dropout, seed, threads },
      }
      // Masks differ, and so do the losses, where there is dropout.
      const tolerance = dropout === 0 ? 1e-4 : Number.POSITIVE_INFINITY
      figures[name] = await compare({ name: "dual-encoder-squad", settings, rounds, tolerance, log })
    } finally {
      rmSync(folder, { recursive: true })
    }
    const ratio = figures[name]?.ratio
    if (ratio !== undefined)
      holds[`${name}: at least ${atLeast} times the peer's pairs a second`] = ratio.median >= atLeast
  }
  const settings = {
    ...common,
    model: "all-MiniLM-L6-v2",
    data: "SQuAD v1.1, training articles",
    seed,
    steps,
    threads,
    cases,
  }
  return { settings, figures, holds }
}

interface Pair {
  readonly query: string
  readonly passage: Passage
  /** As a line of a file of examples. */
  readonly line: string
}

/** One question of each paragraph, so that no batch holds a passage twice: the peer would take it for a negative. */
const onePairOfEachPassage = async (file: string): Promise<readonly Pair[]> => {
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

/** The texts of the run's batches in their order, for the peer. */
const batchesOf = (pairs: readonly Pair[], batchSize: number): string => {
  const sampler = dualEncoderSampler({ count: pairs.length, batchSize, seed })
  return Array.from({ length: rounds * steps + 1 }, (_, index) => {
    const { indices } = sampler.batchAt(index)
    return `${JSON.stringify(indices.map((place) => [pairs[place]!.query, pairs[place]!.passage.text]))}\n`
  }).join("")
}
