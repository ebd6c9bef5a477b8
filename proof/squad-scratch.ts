// A 4-layer, 256-wide encoder from random weights, one epoch on SQuAD's training articles.
import { join } from "node:path"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { folderOf, trainForProof } from "./support/DprProof.ts"

export async function run({ log }: ExperimentContext): Promise<ExperimentResult> {
  const data = folderOf("TANDEM_DATA", "squad")
  const chosen = {
    model: "tiny:0",
    tiny: { hidden: 256, layers: 4, heads: 4, intermediate: 1024, vocabulary: 8000 },
    batchSize: 32,
    lr: 5e-4,
    temperature: 0.1,
    maxLength: 192,
    negatives: "none",
  }
  const { report } = await trainForProof(
    { ...chosen, data: [join(data, "squad/train.json")], dev: [join(data, "squad/dev.json")] },
    log,
  )
  const { before, after, baselines, differences, steps, seconds, peakMemoryMiB } = report
  return {
    settings: { ...chosen, data: "SQuAD v1.1, 44 training and 24 development articles", epochs: 1, seed: 0 },
    figures: {
      steps,
      seconds: Math.round(seconds),
      peakMemoryMiB,
      bm25: baselines?.["bm25"],
      before,
      after,
      differences,
    },
    holds: Object.fromEntries(
      ["recall@1", "mrr@10"].map((name) => [
        `${name} rises: its paired 95 % interval excludes 0`,
        (differences?.before[name]?.low ?? 0) > 0,
      ]),
    ),
  }
}
