// Joint steps of a retriever and a reader: MiniLM as query encoder, and behind each of five retrieved passages SmolLM2 with LoRA
// or a decoder of 30 million weights, against the same loss in plain PyTorch, or BART, against transformers' RagModel; questions,
// prompts and passages as they are.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { lora } from "./support/AdapterValues.ts"
import { type Compared, compare, verdicts } from "./support/Compare.ts"
import { jointQuestions } from "./support/JointQuestions.ts"
import { needs } from "./support/Material.ts"
import { limits, withLines } from "./support/PassageQuestions.ts"
import { shapes, withRandomModel } from "./support/RandomModel.ts"

const targets = { speed: 1.5, memory: 1 }
const k = 5
const rounds = 3
const steps = 1
const learningRate = 1e-5
const temperature = 0.05
/** Relative, of the losses. */
const tolerance = 1e-4

/** Readers of the cases, and questions of a step, so that both sides fit into 24 GiB; without `lora` all weights train. */
const readers = {
  "SmolLM2-135M with LoRA": { lora, questions: 1, losses: ["rag-sequence", "rag-token"] },
  "Llama of 30 million weights": { shape: "Llama-30M", questions: 2, losses: ["rag-sequence"] },
  "BART-base": { shape: "BART-base", questions: 2, losses: ["rag-sequence"] },
} as const

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const tokenizer = needs("TANDEM_MODELS", "SmolLM2-135M-Instruct")
  const encoder = needs("TANDEM_MODELS", "all-MiniLM-L6-v2")
  const threads = availableParallelism()
  const figures: Record<string, Compared> = {}
  for (const [reader, of] of Object.entries(readers)) {
    const counts = { batches: 1 + rounds * steps, batchSize: of.questions, k }
    await withLines(await jointQuestions({ model: tokenizer, encoder }, counts), async (file) => {
      for (const loss of of.losses) {
        const name = `${reader}, ${loss}`
        if (args.length > 0 && !args.some((arg) => name.startsWith(arg))) continue
        const common = { encoder, batches: file, loss, temperature, learningRate, steps, threads }
        const measure = async (model: string): Promise<void> => {
          const settings = { ...common, model, ...("lora" in of ? { lora: of.lora } : {}) }
          figures[name] = await compare({
            ...{ name: "joint-step", settings, rounds, tolerance, targets, profiled: steps, log },
          })
        }
        await ("shape" in of ? withRandomModel(shapes[of.shape], measure) : measure(tokenizer))
      }
    })
  }
  const settings = {
    work: "retriever and reader trained together",
    against: "PyTorch; for BART transformers' RagModel",
    unit: `step, ${k} passages a question`,
    model: "all-MiniLM-L6-v2; readers by case",
    data: "SQuAD v1.1, training questions, passages by BM25",
    step: "forward, backward, clip, AdamW",
    readers,
    targets,
    k,
    ...limits,
    rounds,
    steps,
    learningRate,
    temperature,
    threads,
  }
  return { settings, figures, holds: verdicts(figures) }
}
