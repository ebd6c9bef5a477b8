// A run folder as `tandem joint train` leaves it, of tiny models that were not trained.
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { defaultTemplate, ragPromptJson } from "@tandem/generator"
import { tinyDecoder, tinyEncoder, trainWordPiece } from "@tandem/models"
import { saveEncoder } from "@tandem/models/node/SaveEncoder"
import { saveLanguageModel } from "@tandem/models/node/SaveLanguageModel"
import { encodeCorpus, towerOf } from "@tandem/retriever"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Exact } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect } from "effect"

const owners = ["anna", "ben", "cleo", "dan", "eve", "finn", "gina", "hugo"]
const things = ["house", "boat", "garden", "mill", "tower", "bridge", "barn", "well"]

export const passages = things.flatMap((thing, index) => [
  { id: `${thing}-1`, title: thing, text: `The ${thing} belongs to ${owners[index]}.` },
  { id: `${thing}-2`, title: thing, text: `The ${thing} is old and made of stone.` },
])

export const questions = things.map((thing) => `who owns the ${thing}?`)

export interface SmallRunOptions {
  readonly seed?: number
  readonly loss?: "rag-token" | "rag-sequence"
  /** Leaves the generator out, as `tandem dpr train` does. */
  readonly retrieverAlone?: boolean
  readonly renewEvery?: number
}

/** Writes a run folder and tells its path. */
export const smallRun = async (
  run: string,
  { seed = 0, loss = "rag-token", retrieverAlone = false, renewEvery }: SmallRunOptions = {},
): Promise<string> => {
  const vocabulary = trainWordPiece([...passages.map(({ text }) => text), ...questions, defaultTemplate.text], {
    vocabularySize: 200,
  })
  const size = { hidden: 32, layers: 1, heads: 2, intermediate: 64 }
  const encoder = tinyEncoder({ seed, vocabulary, ...size })
  const model = tinyDecoder({ seed, vocabulary, ...size, maxLength: 256 })
  const retrieval = { similarity: "cosine" as const, maxLength: 32, titles: "none" as const }
  mkdirSync(run, { recursive: true })
  await Effect.runPromise(
    Effect.gen(function* () {
      yield* saveEncoder(join(run, "retriever"), encoder)
      const contents = yield* encodeCorpus({ passage: towerOf(encoder), ...retrieval }, passages)
      const store = yield* Exact.make(contents.identity)
      yield* store.replace(contents)
      yield* store.snapshot(nodeFolder(join(run, "store")))
      if (retrieverAlone) return
      yield* saveLanguageModel(join(run, "generator"), model, model.parameters, {
        beside: { "rag.json": ragPromptJson({ template: defaultTemplate, maxPrompt: 128, maxAnswer: 8 }) },
      })
    }).pipe(Effect.provide(layer({ threads: 1 }))),
  )
  writeFileSync(
    join(run, "config.json"),
    JSON.stringify({
      format: 1,
      command: retrieverAlone ? "dpr train" : "joint train",
      retriever: { ...retrieval, temperature: 0.1, untied: false },
      ...(retrieverAlone ? {} : { generator: { kEval: 3, loss, ...(renewEvery === undefined ? {} : { renewEvery }) } }),
    }),
  )
  return run
}
