// A run folder as `tandem joint train` leaves it, or `tandem dpr train` without a reader, of models that are there already and a
// few passages.
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { defaultTemplate, ragPromptJson } from "@tandem/generator"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { saveEncoder } from "@tandem/models/node/SaveEncoder"
import { encodeCorpus, towerOf } from "@tandem/retriever"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Exact } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect } from "effect"

export interface ServedModels {
  /** Folders of models. */
  readonly encoder: string
  readonly reader?: string
}

/** Writes a run folder and tells its path. */
export const madeRun = async (run: string, { encoder, reader }: ServedModels): Promise<string> => {
  const passages = Array.from({ length: 200 }, (_, index) => ({
    id: `p${index}`,
    text: `Bridge ${index} crosses river number ${index}. It was built of stone by the people of the valley.`,
  }))
  const retrieval = { similarity: "cosine" as const, maxLength: 128, titles: "none" as const }
  mkdirSync(run, { recursive: true })
  if (reader !== undefined) {
    cpSync(reader, join(run, "generator"), { recursive: true })
    writeFileSync(
      join(run, "generator/rag.json"),
      JSON.stringify(ragPromptJson({ template: defaultTemplate, maxPrompt: 512, maxAnswer: 32 })),
    )
  }
  writeFileSync(
    join(run, "config.json"),
    JSON.stringify({
      format: 1,
      command: reader === undefined ? "dpr train" : "joint train",
      retriever: { ...retrieval, temperature: 0.1, untied: false },
      ...(reader === undefined ? {} : { generator: { kEval: 3, loss: "rag-token" } }),
    }),
  )
  await Effect.runPromise(
    Effect.gen(function* () {
      const model = yield* loadEncoder(encoder)
      yield* saveEncoder(join(run, "retriever"), model)
      const passage = towerOf(model)
      const contents = yield* encodeCorpus({ passage, ...retrieval }, passages)
      const store = yield* Exact.make(contents.identity)
      yield* store.replace(contents)
      yield* store.snapshot(nodeFolder(join(run, "store")))
    }).pipe(Effect.provide(layer())),
  )
  return run
}
