// The second part of the quickstart: a retriever and a reader that know little learn together, from questions and answers.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { makeForeignWorld } from "@tandem/datasets"
import { writeForeignWorld } from "@tandem/datasets/node/WorldFiles"
import { DprSettings, trainDpr } from "@tandem/dpr"
import { RaltSettings, trainRalt } from "@tandem/dual"
import { JointSettings, trainJoint } from "@tandem/joint"
import type { Observe } from "@tandem/runs"
import { Effect, Schema } from "effect"
import { atMost } from "./QuickstartOptions.ts"
import { storyRecipe } from "./Recipes.ts"

/** What is told, and how it is watched. */
export interface StoryOptions {
  readonly folder: string
  readonly seed: number
  /** Most steps of each training. */
  readonly maxSteps?: number
  /** Called as a training begins; what it returns hears of it. */
  readonly begin: (training: Training, run: string) => Observe
}

export type Training = "retriever" | "reader" | "joint"

/** Invents a foreign world, trains a retriever and a reader a little, each by itself, and then both together. */
export const trainStory = Effect.fn("quickstart.trainStory")(function* (options: StoryOptions) {
  const { folder, seed, begin } = options
  const world = makeForeignWorld({ seed })
  const files = yield* writeForeignWorld(join(folder, "world"), world)
  const runs = { retriever: join(folder, "retriever"), reader: join(folder, "reader"), joint: join(folder, "joint") }
  for (const run of Object.values(runs)) rmSync(run, { recursive: true, force: true })
  const retriever = yield* Schema.decodeUnknownEffect(DprSettings)({
    ...atMost(options, storyRecipe.retriever),
    data: [files.retriever],
    seed,
    out: runs.retriever,
  })
  yield* trainDpr(retriever, { observe: begin("retriever", runs.retriever) })
  const reader = yield* Schema.decodeUnknownEffect(RaltSettings)({
    ...atMost(options, storyRecipe.reader),
    data: [files.reader],
    template: files.template,
    seed,
    out: runs.reader,
  })
  yield* trainRalt(reader, { observe: begin("reader", runs.reader) })
  const joint = yield* Schema.decodeUnknownEffect(JointSettings)({
    ...atMost(options, storyRecipe.joint),
    data: [files.train],
    dev: [files.dev],
    corpus: files.corpus,
    retriever: runs.retriever,
    generator: runs.reader,
    seed,
    out: runs.joint,
  })
  const report = yield* trainJoint(joint, { observe: begin("joint", runs.joint) })
  return { world, runs, report }
})
