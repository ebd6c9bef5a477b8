// The second part of the quickstart on three worlds: from a retriever that finds little and a reader that copies, joint training
// on questions and answers alone comes to a system that answers.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { storyRecipe } from "@tandem/cli/quickstart/Recipes"
import { trainStory } from "@tandem/cli/quickstart/Story"
import { Effect } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"

const seeds = [1, 2, 3]

export async function run({ log }: ExperimentContext): Promise<ExperimentResult> {
  const figures: Record<string, unknown> = {}
  const holds: Record<string, boolean> = {}
  for (const seed of seeds) {
    const folder = mkdtempSync(join(tmpdir(), "tandem-story-"))
    try {
      const began = performance.now()
      const begin = (training: string) => {
        log(`seed ${seed}: ${training}`)
        return () => Effect.void
      }
      const { report } = await Effect.runPromise(trainStory({ folder, seed, begin }))
      const seconds = Math.round((performance.now() - began) / 1000)
      const { before, after, steps, peakMemoryMiB } = report
      const pair = (name: string) => ({ before: before?.[name] ?? Number.NaN, after: after?.[name] ?? Number.NaN })
      const recall = pair("recall@1")
      const exactMatch = pair("retrieved.exactMatch")
      const closedBook = pair("closedBook.exactMatch")
      figures[`seed ${seed}`] = { recall, exactMatch, closedBook, steps, seconds, peakMemoryMiB }
      holds[`seed ${seed}: exact match is at least 0.8, and was at most 0.4`] =
        exactMatch.after >= 0.8 && exactMatch.before <= 0.4
      holds[`seed ${seed}: closed book 0.1 at most`] = Math.max(closedBook.before, closedBook.after) <= 0.1
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return { settings: { ...storyRecipe, seeds }, figures, holds }
}
