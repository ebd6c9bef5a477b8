// Joint steps of a retriever and a reader: MiniLM as query encoder and SmolLM2's shape with LoRA behind each of five retrieved
// passages, RAG-Sequence, against the same loss in plain PyTorch: questions, prompts and passages as they are.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, compare, verdicts } from "./support/Compare.ts"
import { jointQuestions } from "./support/JointQuestions.ts"
import { needs } from "./support/Material.ts"
import { limits, withLines } from "./support/PassageQuestions.ts"

const losses = ["rag-sequence", "rag-token"] as const
const targets = { speed: 1.5, memory: 1 }
const k = 5
const batchSize = 2
const rounds = 3
const steps = 1
const learningRate = 1e-5
const temperature = 0.05
const lora = {
  rank: 16,
  alpha: 32,
  targets: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
} as const
/** Relative, of the losses. */
const tolerance = 1e-4

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const model = needs("TANDEM_MODELS", "SmolLM2-135M-Instruct")
  const encoder = needs("TANDEM_MODELS", "all-MiniLM-L6-v2")
  const threads = availableParallelism()
  const batches = await jointQuestions({ model, encoder }, { batches: 1 + rounds * steps, batchSize, k })
  const figures: Record<string, Compared> = {}
  await withLines(batches, async (file) => {
    for (const loss of losses) {
      const name = `${loss}, ${k} passages a question, batches of ${batchSize}`
      if (args.length > 0 && !args.includes(name)) continue
      const settings = { model, encoder, batches: file, loss, temperature, learningRate, steps, threads, lora }
      figures[name] = await compare({ name: "joint-step", settings, rounds, tolerance, targets, profiled: steps, log })
    }
  })
  const settings = {
    work: "retriever and reader trained together, MiniLM and SmolLM-135M's shape",
    against: "PyTorch",
    unit: "step",
    model: "all-MiniLM-L6-v2, SmolLM2-135M-Instruct with LoRA",
    data: "SQuAD v1.1, training questions, passages by BM25",
    step: "forward, backward, clip, AdamW",
    losses,
    targets,
    k,
    batchSize,
    ...limits,
    rounds,
    steps,
    learningRate,
    temperature,
    lora,
    threads,
  }
  return { settings, figures, holds: verdicts(figures) }
}
