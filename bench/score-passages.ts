// Likelihoods of answers under five passages a question, with all that an asker pays, against the bare forward pass over
// the same real tokens.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { compare, verdicts } from "./support/Compare.ts"
import { needs } from "./support/Material.ts"
import { limits, passageQuestions, withLines } from "./support/PassageQuestions.ts"

const k = 5
const count = 4
const rounds = 5
/** At most 1.15 times the bare pass. */
const targets = { speed: 0.87 }
/** Of log-likelihoods, relative to the largest. */
const tolerance = 1e-4

export async function run({ log }: ExperimentContext): Promise<ExperimentResult> {
  const model = needs("TANDEM_MODELS", "SmolLM2-135M-Instruct")
  const threads = availableParallelism()
  const compared = await withLines(await passageQuestions(model, { count, k }), (file) =>
    compare({
      name: "score-passages",
      settings: { model, questions: file, threads },
      rounds,
      tolerance,
      targets,
      peer: { side: "bare-forward" },
      profiled: 1,
      log,
    }),
  )
  const figures = { [`${count} questions, ${k} passages each`]: compared }
  const settings = {
    work: "answers scored under retrieved passages, SmolLM-135M's shape",
    against: "the bare forward pass",
    unit: `${count * k} answers`,
    model: "SmolLM2-135M-Instruct",
    data: "SQuAD v1.1, training questions, passages by BM25",
    targets,
    k,
    count,
    ...limits,
    rounds,
    threads,
  }
  return { settings, figures, holds: verdicts(figures) }
}
