// Fine-tuning steps on answers behind each of three retrieved passages, all weights or LoRA adapters, against transformers
// and PEFT on PyTorch eager fp32: questions, prompts and passages as they are.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { lora } from "./support/AdapterValues.ts"
import { type Compared, compare, verdicts } from "./support/Compare.ts"
import { needs } from "./support/Material.ts"
import { limits, passageQuestions, withLines } from "./support/PassageQuestions.ts"

const cases = ["LoRA", "full"] as const
const targets = { speed: 1.5 }
const k = 3
const batchSize = 2
const rounds = 5
const steps = 1
const learningRate = 1e-5
/** Relative, of the losses. */
const tolerance = 1e-4

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const model = needs("TANDEM_MODELS", "SmolLM2-135M-Instruct")
  const threads = availableParallelism()
  const count = batchSize * (1 + rounds * steps)
  const questions = await passageQuestions(model, { count, k })
  const batches = Array.from({ length: count / batchSize }, (_, step) =>
    questions.slice(step * batchSize, (step + 1) * batchSize),
  )
  const figures: Record<string, Compared> = {}
  await withLines(batches, async (file) => {
    for (const method of cases) {
      const name = `${method}, ${k} passages a question, batches of ${batchSize}`
      if (args.length > 0 && !args.includes(name)) continue
      const settings = { model, batches: file, learningRate, steps, threads, ...(method === "LoRA" ? { lora } : {}) }
      figures[name] = await compare({ name: "ralt-step", settings, rounds, tolerance, targets, profiled: steps, log })
    }
  })
  const settings = {
    work: "reader trained on retrieved passages, SmolLM-135M's shape",
    against: "transformers, PEFT",
    unit: "step",
    model: "SmolLM2-135M-Instruct",
    data: "SQuAD v1.1, training questions, passages by BM25",
    step: "forward, backward, clip, AdamW",
    cases,
    targets,
    k,
    batchSize,
    ...limits,
    rounds,
    steps,
    learningRate,
    lora,
    threads,
  }
  return { settings, figures, holds: verdicts(figures) }
}
