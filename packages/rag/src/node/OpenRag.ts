import { existsSync } from "node:fs"
import { basename, join, resolve } from "node:path"
import { decodingOf } from "@tandem/objectives/joint/EvaluateRag"
import { openGenerator } from "@tandem/objectives/node/OpenGenerator"
import { openSearched } from "@tandem/objectives/node/OpenSearch"
import { InvalidRunError } from "@tandem/runs/Errors"
import { readRecord } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import type { NodeProvider, ProviderUnavailable } from "@tandem/runtime"
import { layer as runtimeLayer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Layer, Schema, type Scope } from "effect"
import type { KnowledgeSource } from "../KnowledgeSource.ts"
import { makeRag } from "../MakeRag.ts"
import { type Cancellable, openClient, type RagClient } from "../RagClient.ts"
import type { Knowledge, Reader } from "../RagParts.ts"
import { type AskDecoding, Rag, type RagSystem } from "../RagSystem.ts"

/** What of a run is replaced, and what computes. */
export interface OpenRagOptions {
  /** The folder of another index that the run's passage encoder made. */
  readonly store?: string
  /** A run whose retriever and index are searched, where the run itself has none (`ralt train`). */
  readonly retriever?: string
  /** Passages from elsewhere, without encoding. */
  readonly source?: KnowledgeSource
  /** Another language model: a run, a folder or a hub id. */
  readonly generator?: string
  /** A file with the template of its prompts; as it was trained where absent. */
  readonly template?: string
  readonly k?: number
  readonly decoding?: AskDecoding
  /** `cpu` where absent. */
  readonly device?: NodeProvider | "auto"
  readonly threads?: number
}

/** The part of a run's `config.json` that says how it answers. */
const RunConfig = Schema.Struct({
  format: Schema.Literal(1),
  command: Schema.String,
  retriever: Schema.optionalKey(Schema.Struct({ temperature: Schema.Number })),
  generator: Schema.optionalKey(
    Schema.Struct({
      kEval: Schema.optionalKey(Schema.Number),
      loss: Schema.optionalKey(Schema.Literals(["rag-token", "rag-sequence"])),
      renewEvery: Schema.optionalKey(Schema.NullOr(Schema.Number)),
    }),
  ),
})

const quiet = { observe: () => Effect.void }

/** Passages of a question where a run does not say how many. */
const usualPassages = 5

/**
 * The system of a finished run's folder, alive as long as the scope: what it has of a retriever with its index and a generator.
 * A run that is missing, damaged or of another format ends in `InvalidRun`, an index of another encoder in `StoreMismatch`.
 */
export const openRun = Effect.fn("rag.openRun")(function* (run: string, options: OpenRagOptions = {}) {
  const { source, retriever: searchedRun = run, store } = options
  const config = yield* readRecord(runPaths(run).config, RunConfig)
  const searched =
    source === undefined
      ? yield* openSearched({ run: searchedRun, ...(store === undefined ? {} : { store }) }, quiet)
      : undefined
  const knowledge: Knowledge | undefined =
    source ??
    (searched && {
      model: basename(resolve(searchedRun)),
      query: searched.towers.query,
      passage: searched.towers.passage,
      retrieval: searched.retrieval,
      store: searched.store,
      name: basename(resolve(store ?? searchedRun)),
    })
  if (knowledge === undefined) {
    return yield* new InvalidRunError({ message: `${run} has nothing to search`, file: run, field: "run" })
  }
  const { kEval, loss, renewEvery } = config.generator ?? {}
  const generator = options.generator ?? (existsSync(join(run, "generator")) ? run : undefined)
  const reader: Reader | undefined =
    generator === undefined
      ? undefined
      : {
          name: basename(resolve(generator)),
          ...(yield* openGenerator(
            { generator, ...(options.template === undefined ? {} : { template: options.template }) },
            { seed: 0, texts: () => [] },
          )),
          decoding: options.decoding ?? (loss === undefined ? { kind: "together" } : decodingOf(loss)),
          ...(typeof renewEvery === "number" ? { renewEvery } : {}),
        }
  return yield* makeRag({
    name: basename(resolve(run)),
    k: options.k ?? kEval ?? usualPassages,
    temperature: searched?.retrieval.temperature ?? 1,
    knowledge,
    ...(reader === undefined ? {} : { reader }),
  })
})

/** What opening a run ends in. */
export type OpenRagError = Effect.Error<ReturnType<typeof openRun>> | ProviderUnavailable

/** `openRun` with a runtime of its own. */
const openAlone = (run: string, options: OpenRagOptions): Effect.Effect<RagSystem, OpenRagError, Scope.Scope> => {
  const { device, threads } = options
  const runtime = runtimeLayer({
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
  })
  return Effect.flatMap(Layer.build(runtime), (context) => Effect.provide(openRun(run, options), context))
}

/** `Rag` from a run's folder, on Node, Bun and Deno. */
export const layerRun = (run: string, options: OpenRagOptions = {}): Layer.Layer<Rag, OpenRagError> =>
  Layer.effect(Rag, openAlone(run, options))

/** A run's folder as something to ask, with promises, on Node, Bun and Deno. */
export const openRag = (run: string, options: OpenRagOptions & Cancellable = {}): Promise<RagClient> =>
  openClient(openAlone(run, options), options)
