// Greedy decoding with a language model of SmolLM-135M's size, one prompt alone and several at once, against transformers'
// `generate` on PyTorch eager fp32.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, compare, verdicts } from "./support/Compare.ts"
import { needs } from "./support/Material.ts"
import { passageQuestions, withLines } from "./support/PassageQuestions.ts"

const cases = [1, 8] as const
const targets = { speed: 1.3 }
const promptTokens = 300
const newTokens = 64
const rounds = 5
/** Of token ids: all are the same. */
const tolerance = 0

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const model = needs("TANDEM_MODELS", "SmolLM2-135M-Instruct")
  const threads = availableParallelism()
  const prompts = (await passageQuestions(model, { count: Math.max(...cases), k: 5 })).map(({ prompts: all }) =>
    all.flat().slice(0, promptTokens),
  )
  const figures: Record<string, Compared> = {}
  for (const count of cases) {
    const name = `${count} x ${promptTokens} tokens, ${newTokens} new`
    if (args.length > 0 && !args.includes(name)) continue
    figures[name] = await withLines(prompts.slice(0, count), (file) =>
      compare({
        name: "generate",
        settings: { model, prompts: file, newTokens, threads },
        rounds,
        tolerance,
        targets,
        profiled: newTokens,
        log,
      }),
    )
  }
  const settings = {
    work: "answers written, greedily, SmolLM-135M's shape",
    against: "transformers",
    unit: "new token of all prompts",
    model: "SmolLM2-135M-Instruct",
    cases,
    targets,
    promptTokens,
    newTokens,
    rounds,
    threads,
  }
  return { settings, figures, holds: verdicts(figures) }
}
