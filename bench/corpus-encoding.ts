// A corpus to embeddings, tokenizing included: paragraphs of SQuAD by MiniLM, in full precision and with 8-bit weights,
// against sentence-transformers on PyTorch and on its ONNX backend.
import { copyFileSync, mkdirSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { saveEncoder } from "@tandem/models/node/SaveEncoder"
import { Effect } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, compare, verdicts } from "./support/Compare.ts"
import type { CorpusEncodingSettings } from "./support/CorpusTexts.ts"
import { needs, withSquadParagraphs } from "./support/Material.ts"

const cases = [
  { name: "fp32 against torch", precision: "fp32", backend: "torch", targets: { speed: 1.3 } },
  { name: "fp32 against onnx", precision: "fp32", backend: "onnx", targets: { speed: 1.1 } },
  { name: "q8 against onnx", precision: "q8", backend: "onnx", targets: { speed: 1.1 } },
] as const
const rounds = 5
const part = 64
const batchSize = 32
const maxLength = 256
/** Of single numbers of unit vectors, relative to the largest; the sides' quantised models differ in how they round. */
const tolerance = { fp32: 1e-4, q8: 0.2 }

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const model = needs("TANDEM_MODELS", "all-MiniLM-L6-v2")
  const threads = availableParallelism()
  const figures: Record<string, Compared> = {}
  await withSquadParagraphs(part * (rounds + 1), async ({ folder, texts }) => {
    const quantised = await quantisedModel(model, folder)
    for (const { name, precision, backend, targets } of cases) {
      if (args.length > 0 && !args.includes(name)) continue
      const common = { texts, part, maxLength, threads, batchSize, compared: 8, backend, precision }
      const settings: CorpusEncodingSettings & { readonly peerModel: string } = {
        ...common,
        model: precision === "q8" ? quantised : model,
        peerModel: model,
        format: precision === "q8" ? "onnx" : "weights",
      }
      const options = {
        name: "corpus-encoding",
        rounds,
        tolerance: tolerance[precision],
        targets,
        peer: backend,
        profiled: 1,
        log,
      }
      figures[name] = await compare({ ...options, settings: { ...settings } })
    }
  })
  const settings = {
    work: "corpus encoded with tokenizing, MiniLM",
    against: "sentence-transformers",
    unit: `${part} paragraphs`,
    model: "all-MiniLM-L6-v2",
    data: "SQuAD v1.1, training paragraphs",
    cases,
    rounds,
    part,
    batchSize,
    maxLength,
    threads,
  }
  return { settings, figures, holds: verdicts(figures) }
}

/** A folder with the model as `npm run tandem` saves it for transformers.js, of which only the 8-bit file is there. */
const quantisedModel = async (model: string, folder: string): Promise<string> => {
  const [saved, quantised] = [join(folder, "saved"), join(folder, "quantised")]
  await Effect.runPromise(Effect.flatMap(loadEncoder(model), (encoder) => saveEncoder(saved, encoder)))
  mkdirSync(join(quantised, "onnx"), { recursive: true })
  const copied = ["config.json", "tokenizer.json", "tokenizer_config.json", "modules.json", "1_Pooling/config.json"]
  mkdirSync(join(quantised, "1_Pooling"))
  for (const file of [...copied, "sentence_bert_config.json"]) copyFileSync(join(saved, file), join(quantised, file))
  copyFileSync(join(saved, "onnx/model_quantized.onnx"), join(quantised, "onnx/model.onnx"))
  return quantised
}
