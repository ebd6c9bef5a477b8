// Training steps of a dual encoder on sequences without padding against PyTorch eager: the same weights, token ids,
// loss and optimizer.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, compare, verdicts } from "./support/Compare.ts"
import { shapes, withRandomModel } from "./support/RandomModel.ts"

const cases = [
  { model: "MiniLM-L6", batch: 16, tokens: 128, steps: 1, rounds: 5 },
  { model: "MiniLM-L6", batch: 32, tokens: 256, steps: 1, rounds: 5 },
  { model: "BERT-base", batch: 8, tokens: 256, steps: 1, rounds: 5 },
] as const
const learningRate = 2e-5
/** Losses of the two sides agree to this, relative. */
const tolerance = 1e-3
const targets = { speed: 0.95, memory: 1, share: 0.8 }

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const threads = availableParallelism()
  const figures: Record<string, Compared> = {}
  for (const { model, batch, tokens, steps, rounds } of cases) {
    const name = `${model} ${batch} x ${tokens}`
    if (args.length > 0 && !args.includes(name)) continue
    figures[name] = await withRandomModel(shapes[model], (folder) => {
      const settings = { model: folder, batch, tokens, steps, learningRate, threads }
      return compare({ name: "dual-encoder-dense", settings, rounds, tolerance, targets, profiled: steps, log })
    })
  }
  const settings = {
    work: "dual encoder trained on dense token ids",
    against: "PyTorch",
    unit: "step",
    step: "forward, backward, clip, AdamW",
    cases,
    learningRate,
    threads,
  }
  return { settings, figures, holds: verdicts(figures) }
}
