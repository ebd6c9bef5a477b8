// Training as it really runs: pairs of SQuAD in random batches, of their own lengths, against sentence-transformers
// with its loss for in-batch negatives; the same model, batches and rate, without dropout and with the model's own.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, compare, verdicts } from "./support/Compare.ts"
import { needs } from "./support/Material.ts"
import { onePairOfEachPassage, pairSettings, withPairs } from "./support/SquadPairs.ts"

/** The warm-up is a run's start, where most batches bring a shape to compile for; over an epoch one in six does. */
const cases = [
  { batchSize: 16, dropout: 0, warmup: 8, rounds: 7, targets: { speed: 1.25, memory: 0.7 } },
  { batchSize: 32, dropout: 0, warmup: 3, rounds: 5, targets: { speed: 1.25, memory: 0.7 } },
  { batchSize: 16, dropout: "model", warmup: 8, rounds: 7, targets: { speed: 2, memory: 0.7 } },
  { batchSize: 32, dropout: "model", warmup: 3, rounds: 5, targets: { speed: 2, memory: 0.7 } },
] as const
const steps = 1

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const model = needs("TANDEM_MODELS", "all-MiniLM-L6-v2")
  const pairs = await onePairOfEachPassage(needs("TANDEM_DATA", "squad/train.json"))
  const threads = availableParallelism()
  const figures: Record<string, Compared> = {}
  for (const { batchSize, dropout, warmup, rounds, targets } of cases) {
    const name = `batches of ${batchSize}, dropout ${dropout}`
    if (args.length > 0 && !args.includes(name)) continue
    const batches = warmup + rounds * steps
    // Masks differ, and so do the losses, where there is dropout.
    const tolerance = dropout === 0 ? 1e-4 : undefined
    figures[name] = await withPairs(pairs, { batchSize, dropout, batches, warmup, steps, model, threads }, (settings) =>
      compare({ name: "dual-encoder-squad", settings, rounds, tolerance, targets, profiled: steps, log }),
    )
  }
  const settings = {
    work: "dual encoder trained on SQuAD pairs as they come, MiniLM",
    against: "sentence-transformers",
    unit: "step",
    ...pairSettings,
    model: "all-MiniLM-L6-v2",
    data: "SQuAD v1.1, training articles",
    steps,
    threads,
    cases,
  }
  return { settings, figures, holds: verdicts(figures) }
}
