// What adapters and recomputation save: training steps of SmolLM-135M at 4 × 512 tokens, of which 32 in each row are an answer,
// each way in a process of its own. `npm run proof -- lora-memory`; random weights of its shape, which take what any take.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { lora } from "../bench/support/AdapterValues.ts"
import type { CausalLmSettings } from "../bench/support/CausalLmRows.ts"
import { withFolder } from "../bench/support/Folder.ts"
import { ids } from "../bench/support/Numbers.ts"
import { shapes, withRandomModel } from "../bench/support/RandomModel.ts"
import { ourSide } from "../bench/support/Side.ts"
import type { Experiment } from "../scripts/support/Experiment.ts"

const [batch, tokens, answer] = [4, 512, 32]
const rounds = 2
const ways = {
  "all weights": {},
  adapters: { lora },
  "adapters, recomputed": { lora, recompute: "auto" },
} as const satisfies Readonly<Record<string, Partial<CausalLmSettings>>>
type Way = keyof typeof ways

const rowsOf = (step: number) =>
  Array.from({ length: batch }, (_, row) => ({
    ids: ids(tokens, step * batch + row, shapes["SmolLM-135M"].vocab_size),
    from: tokens - answer,
  }))

export const run: Experiment = async ({ log }) => {
  const found = new Map<string, { readonly peakMiB: number; readonly seconds: number; readonly losses: number[] }>()
  await withRandomModel(shapes["SmolLM-135M"], (model) =>
    withFolder(async (folder) => {
      const batches = join(folder, "batches.jsonl")
      const lines = Array.from({ length: 1 + rounds }, (_, step) => `${JSON.stringify(rowsOf(step))}\n`)
      writeFileSync(batches, lines.join(""))
      const common = {
        model,
        batches,
        maxLength: tokens,
        learningRate: 1e-5,
        steps: 1,
        threads: 2,
        countProducts: false,
      }
      for (const [way, settings] of Object.entries(ways)) {
        const side = await ourSide("causal-lm", { ...common, ...settings })
        const done = []
        for (let round = 0; round < rounds; round++) done.push(await side.round())
        await side.stop()
        const peakMiB = Math.round(Math.max(...done.map(({ peakMemoryMiB }) => peakMemoryMiB)))
        const seconds = Math.min(...done.map((each) => each.seconds))
        found.set(way, { peakMiB, seconds, losses: done.flatMap(({ values }) => values) })
        log(`${way}: ${peakMiB} MiB, ${seconds.toFixed(1)} s a step`)
      }
    }),
  )
  const over = (a: Way, b: Way): number => Math.round(1000 * (found.get(a)!.peakMiB / found.get(b)!.peakMiB)) / 1000
  const [adapters, recomputed] = [over("adapters", "all weights"), over("adapters, recomputed", "all weights")]
  return {
    settings: { model: "SmolLM-135M, random weights", batch, tokens, answer, rounds, lora, recompute: "auto" },
    figures: { ...Object.fromEntries(found), "peak over that of all weights": { adapters, recomputed } },
    holds: {
      "adapters take at most 0.85 of the memory that all weights take": adapters <= 0.85,
      "adapters with recomputation take at most 0.6 of it": recomputed <= 0.6,
      "recomputation changes no loss":
        `${found.get("adapters")?.losses}` === `${found.get("adapters, recomputed")?.losses}`,
    },
  }
}
