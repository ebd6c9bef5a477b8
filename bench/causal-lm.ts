// Fine-tuning steps of a language model of SmolLM-135M's size, all weights or LoRA adapters, against transformers and
// PEFT on PyTorch eager fp32: dense text, and questions with their passage as they are, the loss on the answer alone.
import { writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { dualEncoderSampler } from "@tandem/collators"
import { readExamples } from "@tandem/datasets/node/Files"
import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import { Effect } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { findFolder } from "../scripts/support/Folders.ts"
import { lora } from "./support/AdapterValues.ts"
import type { CausalLmSettings, TokenRow } from "./support/CausalLmRows.ts"
import { type Compared, compare, verdicts } from "./support/Compare.ts"
import { withFolder } from "./support/Folder.ts"
import { ids } from "./support/Numbers.ts"
import { shapes, withRandomModel } from "./support/RandomModel.ts"

const cases = [
  { method: "full", data: "dense", batch: 2, targets: { speed: 0.95, memory: 1 } },
  { method: "LoRA", data: "dense", batch: 2, targets: { speed: 0.95, memory: 1 } },
  { method: "full", data: "SQuAD", batch: 4, targets: { speed: 1.25 } },
  { method: "LoRA", data: "SQuAD", batch: 4, targets: { speed: 1.25 } },
] as const
const denseTokens = 512
const maxLength = 512
const rounds = 5
const steps = 1
const learningRate = 1e-5
/** Relative, of the losses. */
const tolerance = 1e-4

export async function run({ args, log }: ExperimentContext): Promise<ExperimentResult> {
  const folder = findFolder("TANDEM_MODELS", "SmolLM2-135M-Instruct/model.safetensors")
  const squad = findFolder("TANDEM_DATA", "squad/train.json")
  const real = folder === undefined ? undefined : join(folder, "SmolLM2-135M-Instruct")
  const threads = availableParallelism()
  const figures: Record<string, Compared> = {}
  const measure = async (model: string): Promise<void> => {
    for (const { method, data, batch, targets } of cases) {
      const name = `${method}, ${data === "dense" ? `dense ${batch} x ${denseTokens}` : `SQuAD, batches of ${batch}`}`
      if (args.length > 0 && !args.includes(name)) continue
      if (data === "SQuAD" && (real === undefined || squad === undefined)) {
        log(`${name}: left out; set TANDEM_MODELS (SmolLM2-135M-Instruct) and TANDEM_DATA (squad)`)
        continue
      }
      const batches =
        data === "dense" ? denseBatches(batch) : await squadBatches(model, join(squad!, "squad/train.json"), batch)
      figures[name] = await withFile(batches.map((rows) => `${JSON.stringify(rows)}\n`).join(""), (file) => {
        const settings: CausalLmSettings = {
          model,
          batches: file,
          maxLength,
          learningRate,
          steps,
          threads,
          countProducts: data === "dense",
          ...(method === "LoRA" ? { lora } : {}),
        }
        return compare({
          name: "causal-lm",
          settings: { ...settings },
          rounds,
          tolerance,
          targets,
          profiled: steps,
          log,
        })
      })
    }
  }
  if (real === undefined) await withRandomModel(shapes["SmolLM-135M"], measure)
  else await measure(real)
  const settings = {
    work: "language model trained, SmolLM-135M's shape",
    against: "transformers, PEFT",
    unit: "step",
    model: real === undefined ? "SmolLM-135M, random weights" : "SmolLM2-135M-Instruct",
    step: "forward, backward, clip, AdamW",
    cases,
    maxLength,
    rounds,
    steps,
    learningRate,
    lora,
    threads,
  }
  return { settings, figures, holds: verdicts(figures) }
}

/** Token ids without meaning, every one of them but the first a label. */
const denseBatches = (batch: number): readonly (readonly TokenRow[])[] =>
  Array.from({ length: 1 + rounds * steps }, (_, step) =>
    Array.from({ length: batch }, (_, row) => ({
      ids: ids(denseTokens, step * batch + row, shapes["SmolLM-135M"].vocab_size),
      from: 1,
    })),
  )

/** Passage, question and answer of SQuAD in random batches; the answer and the token that ends it are labels. */
const squadBatches = async (model: string, file: string, batch: number): Promise<readonly (readonly TokenRow[])[]> => {
  const tokenizer = await Effect.runPromise(loadTokenizer(model))
  const { examples, corpus } = await Effect.runPromise(readExamples([file], {}))
  const sampler = dualEncoderSampler({ count: examples.length, batchSize: batch, seed: 0 })
  const rowOf = (place: number): TokenRow => {
    const { query, positives, answers = [] } = examples[place]!
    const passage = corpus.get(positives[0] ?? "")?.text ?? ""
    const prompt = tokenizer.encode(`${passage}\n\nQuestion: ${query}\nAnswer:`).ids
    const answer = [...tokenizer.encode(` ${answers[0] ?? ""}`).ids, tokenizer.tokenId("<|im_end|>") ?? 0]
    const kept = prompt.slice(-(maxLength - answer.length))
    return { ids: [...kept, ...answer], from: kept.length }
  }
  return Array.from({ length: 1 + rounds * steps }, (_, index) => sampler.batchAt(index).indices.map(rowOf))
}

const withFile = <A>(text: string, use: (file: string) => Promise<A>): Promise<A> =>
  withFolder((folder) => {
    const file = join(folder, "batches.jsonl")
    writeFileSync(file, text)
    return use(file)
  })
