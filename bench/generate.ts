// Greedy decoding with a language model of SmolLM-135M's size, one prompt alone and several at once, against transformers'
// `generate` on PyTorch eager fp32, and against transformers.js over the same weights in its own layout.
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { loadDecoder } from "@tandem/models/node/LoadDecoder"
import { saveDecoder } from "@tandem/models/node/SaveDecoder"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, compare, verdicts } from "./support/Compare.ts"
import { withFolder } from "./support/Folder.ts"
import { needs } from "./support/Material.ts"
import { passageQuestions, withLines } from "./support/PassageQuestions.ts"

const cases = [1, 8] as const
const targets = { transformers: { speed: 1.3 }, "transformers.js": { speed: 1 } } as const
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
  const measure = async (exported: string): Promise<void> => {
    for (const count of cases) {
      for (const peer of ["transformers", "transformers.js"] as const) {
        const name = `${count} x ${promptTokens} tokens, ${newTokens} new${peer === "transformers" ? "" : `, against ${peer}`}`
        if (args.length > 0 && !args.includes(name)) continue
        figures[name] = await withLines(prompts.slice(0, count), (file) =>
          compare({
            name: "generate",
            settings: { model, exported, prompts: file, newTokens, threads },
            rounds,
            tolerance,
            targets: targets[peer],
            profiled: newTokens,
            log,
            ...(peer === "transformers" ? {} : { peer: { side: "transformers-js" } }),
          }),
        )
      }
    }
  }
  await withFolder(async (folder) => {
    const exported = join(folder, "exported")
    await Effect.runPromise(
      Effect.flatMap(loadDecoder(model), (decoder) =>
        saveDecoder(exported, decoder, decoder.parameters, { types: ["fp32"] }),
      ).pipe(Effect.provide(layer({ threads }))),
    )
    await measure(exported)
  })
  const settings = {
    work: "answers written, greedily, SmolLM-135M's shape",
    against: "transformers, transformers.js",
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
