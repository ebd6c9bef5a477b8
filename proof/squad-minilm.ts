// The real MiniLM, trained for one epoch on SQuAD's training articles, against sentence-transformers' own trainer.
import { join } from "node:path"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { folderOf, trainForProof } from "./support/DprProof.ts"

/** sentence-transformers with MultipleNegativesRankingLoss: same data, batch, rate, length, warm-up and dropout. */
const peer = { "recall@1": 0.689, "recall@5": 0.916, "mrr@10": 0.785 } as const

/** How far the 95 % lower bound may lie below the peer. */
const margin = 0.01

export async function run({ log }: ExperimentContext): Promise<ExperimentResult> {
  const data = folderOf("TANDEM_DATA", "squad")
  const models = folderOf("TANDEM_MODELS", "all-MiniLM-L6-v2")
  const { report } = await trainForProof(
    {
      data: [join(data, "squad/train.json")],
      dev: [join(data, "squad/dev.json")],
      model: join(models, "all-MiniLM-L6-v2"),
      negatives: "none",
    },
    log,
  )
  const { before = {}, after = {}, intervals = {}, baselines, differences } = report
  const low = (name: keyof typeof peer): number => (intervals[name]?.low ?? Number.NaN) - peer[name]
  const settings = {
    model: "all-MiniLM-L6-v2",
    data: "SQuAD v1.1, 44 training and 24 development articles",
    epochs: 1,
    batchSize: 16,
    learningRate: 2e-5,
    warmup: 0.1,
    similarity: "cosine",
    temperature: 0.05,
    maxLength: 256,
    dropout: "model (0.1)",
    seed: 0,
  }
  return {
    settings,
    figures: {
      steps: report.steps,
      seconds: Math.round(report.seconds),
      peakMemoryMiB: report.peakMemoryMiB,
      bm25: baselines?.["bm25"],
      before,
      after,
      intervals,
      peer,
      lowerBoundOfDifferenceToPeer: { "recall@1": low("recall@1"), "mrr@10": low("mrr@10") },
      differences,
    },
    holds: {
      "recall@1 rises": (differences?.before["recall@1"]?.low ?? 0) > 0,
      "mrr@10 rises": (differences?.before["mrr@10"]?.low ?? 0) > 0,
      [`recall@1's lower bound is at least the peer's figure − ${margin}`]: low("recall@1") >= -margin,
      [`mrr@10's lower bound is at least the peer's figure − ${margin}`]: low("mrr@10") >= -margin,
    },
  }
}
