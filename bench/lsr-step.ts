// Steps of a retriever that a reader teaches: MiniLM as query encoder, SmolLM2's shape as teacher of five passages a question.
// Against FedRAG's loop as its source has it: the teacher reads each pair by itself, anew in every step. And against the same
// encoder's plain contrastive step: what the teacher adds once its scores are known.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, type Comparison, compare, verdicts } from "./support/Compare.ts"
import { jointQuestions } from "./support/JointQuestions.ts"
import { needs } from "./support/Material.ts"
import { limits, withLines } from "./support/PassageQuestions.ts"

const k = 5
const batchSize = 4
const rounds = 5
const learningRate = 1e-5
const temperatures = { retriever: 0.05, teacher: 0.5 }
/** Relative, of the losses. */
const tolerance = 1e-4

/** What is compared: what our side does, and the other. */
const cases = [
  { name: "scored in the step", step: "cold", steps: 1, targets: { speed: 1.5, memory: 1 } },
  { name: "scores known from an epoch before", step: "cached", steps: 1, targets: { speed: 3 } },
  {
    name: "scores known, against a plain contrastive step",
    step: "cached",
    steps: 10,
    // At most 1.1 times its time.
    targets: { speed: 0.91 },
    plain: true,
  },
] as const

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const model = needs("TANDEM_MODELS", "SmolLM2-135M-Instruct")
  const encoder = needs("TANDEM_MODELS", "all-MiniLM-L6-v2")
  const threads = availableParallelism()
  const batches = await jointQuestions({ model, encoder }, { batches: 1 + rounds, batchSize, k })
  const figures: Record<string, Compared> = {}
  await withLines(batches, async (file) => {
    for (const { name, step, steps, targets, ...other } of cases) {
      if (args.length > 0 && !args.includes(name)) continue
      const settings = { model, encoder, batches: file, step, steps, temperatures, learningRate, threads }
      const peer: Pick<Comparison, "peer" | "tolerance"> =
        "plain" in other ? { peer: { side: "query-step" }, tolerance: undefined } : { tolerance }
      figures[name] = await compare({ name: "lsr-step", settings, rounds, targets, profiled: steps, log, ...peer })
    }
  })
  const settings = {
    work: "a retriever taught by a reader, MiniLM and SmolLM-135M's shape",
    against: "FedRAG's loop",
    unit: "step",
    model: "all-MiniLM-L6-v2, SmolLM2-135M-Instruct",
    data: "SQuAD v1.1, training questions, passages by BM25",
    step: "scores of all pairs, forward, backward, clip, AdamW",
    cases,
    k,
    batchSize,
    ...limits,
    rounds,
    learningRate,
    temperatures,
    threads,
  }
  return { settings, figures, holds: verdicts(figures) }
}
