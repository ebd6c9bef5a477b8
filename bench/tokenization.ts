// Texts to token ids alone: paragraphs of SQuAD, against the Rust tokenizers as transformers uses them.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, compare } from "./support/Compare.ts"
import type { TextSettings } from "./support/CorpusTexts.ts"
import { needs, withSquadParagraphs } from "./support/Material.ts"

const cases = [
  { name: "MiniLM (word pieces)", model: "all-MiniLM-L6-v2", maxLength: 256 },
  { name: "SmolLM2 (byte pairs)", model: "SmolLM2-135M-Instruct", maxLength: 512 },
] as const
const rounds = 5
const part = 256

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const threads = availableParallelism()
  const figures: Record<string, Compared> = {}
  await withSquadParagraphs(part * (rounds + 1), async ({ texts }) => {
    for (const { name, model, maxLength } of cases) {
      if (args.length > 0 && !args.includes(name)) continue
      const settings: TextSettings = { model: needs("TANDEM_MODELS", model), texts, part, maxLength, threads }
      figures[name] = await compare({ name: "tokenization", settings: { ...settings }, rounds, tolerance: 0, log })
    }
  })
  return {
    settings: {
      work: "tokenizing alone",
      against: "Rust tokenizers in transformers",
      unit: `${part} paragraphs`,
      data: "SQuAD v1.1, training paragraphs",
      cases,
      rounds,
      part,
      threads,
    },
    figures,
  }
}
