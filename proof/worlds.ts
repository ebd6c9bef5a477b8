// The quickstart's recipe on four invented worlds: the default one and three more.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { quickstartRecipe } from "@tandem/cli/quickstart/Recipes"
import { makeWorld } from "@tandem/datasets"
import { writeWorld } from "@tandem/datasets/node/WorldFiles"
import { Effect } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { trainForProof } from "./support/DprProof.ts"

const seeds = [1, 2, 3, 4]

export async function run({ log }: ExperimentContext): Promise<ExperimentResult> {
  const figures: Record<string, unknown> = {}
  const holds: Record<string, boolean> = {}
  for (const seed of seeds) {
    const folder = mkdtempSync(join(tmpdir(), "tandem-world-"))
    try {
      const world = makeWorld({ seed })
      const { train, dev, corpus } = await Effect.runPromise(writeWorld(folder, world))
      const { report } = await trainForProof({ ...quickstartRecipe, data: [train], dev: [dev], corpus, seed }, log)
      const at1 = (metrics: Readonly<Record<string, number>> | undefined): number => metrics?.["recall@1"] ?? Number.NaN
      const trained = at1(report.after)
      const bm25 = at1(report.baselines?.["bm25"])
      const untrained = at1(report.before)
      const { steps, seconds, peakMemoryMiB } = report
      figures[`seed ${seed}`] = { trained, bm25, untrained, steps, seconds: Math.round(seconds), peakMemoryMiB }
      const least = seed === seeds[0] ? 0.8 : 0.75
      holds[`seed ${seed}: recall@1 is at least ${least}`] = trained >= least
      holds[`seed ${seed}: at least 0.4 above BM25 and the untrained encoder`] =
        trained - Math.max(bm25, untrained) >= 0.4
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return { settings: { ...quickstartRecipe, seeds }, figures, holds }
}
