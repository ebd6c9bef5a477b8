// One whole training step of a MiniLM-L6-shaped encoder against the matrix products that it cannot do without.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { compare, verdicts } from "./support/Compare.ts"

const shape = { batch: 16, tokens: 128 }
const warmup = 3
const rounds = 7
const targets = { share: 0.8 }

export async function run({ log }: ExperimentContext): Promise<ExperimentResult> {
  const settings = { ...shape, warmup, rounds, threads: availableParallelism() }
  const found = await compare({
    name: "train-step",
    settings,
    rounds,
    tolerance: undefined,
    targets,
    peer: "none",
    profiled: 1,
    log,
  })
  const figures = { [`MiniLM-L6 ${shape.batch} x ${shape.tokens}`]: found }
  return {
    settings: {
      work: "one tower's step against its products",
      against: "nobody",
      unit: "step",
      model: "MiniLM-L6, random weights",
      ...settings,
      step: "forward, backward, clip, AdamW, host included",
    },
    figures,
    holds: verdicts(figures),
  }
}
