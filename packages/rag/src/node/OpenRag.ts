import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import { filesIn } from "@tandem/files/node/FilesIn"
import { modelFolder } from "@tandem/models/node/Hub"
import { modelFiles } from "@tandem/models/node/ModelFiles"
import { onDisk } from "@tandem/runs/node/RunFiles"
import type { NodeProvider, ProviderUnavailable, Runtime } from "@tandem/runtime"
import { layer as runtimeLayer } from "@tandem/runtime/node/NodeRuntime"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect, Layer, type Scope } from "effect"
import { makeRag } from "../MakeRag.ts"
import { type Cancellable, openClient, type RagClient } from "../RagClient.ts"
import type { RagParts } from "../RagParts.ts"
import { Rag, type RagSystem } from "../RagSystem.ts"
import { type ReadRagOptions, readRag } from "../ReadRag.ts"

/** What of a run is replaced, by paths. */
export interface OpenRunOptions
  extends Omit<ReadRagOptions, "store" | "retriever" | "generator" | "template" | "folderOf"> {
  /** The folder of another index that the run's passage encoder made. */
  readonly store?: string
  /** A run whose retriever and index are searched, where the run itself has none (`ralt train`). */
  readonly retriever?: string
  /** Another language model: a run, a folder or a hub id. */
  readonly generator?: string
  /** A file with the template of its prompts; as it was trained where absent. */
  readonly template?: string
}

/** What of a run is replaced, and what computes. */
export interface OpenRagOptions extends OpenRunOptions {
  /** `cpu` where absent. */
  readonly device?: NodeProvider | "auto"
  /** As many as the machine has cores where absent. */
  readonly threads?: number
}

/** The system of a finished run's folder on this machine: see `readRag`. */
export const openRun = Effect.fn("rag.openRun")(function* (run: string, options: OpenRunOptions = {}) {
  const { store, retriever, generator, template, ...others } = options
  const text = template === undefined ? undefined : yield* onDisk(template, () => readFile(template, "utf8"))
  const other =
    generator === undefined || existsSync(generator) ? generator : yield* modelFolder(generator, { prefer: "weights" })
  return yield* readRag(modelFiles(resolve(run)), {
    ...others,
    folderOf: ({ location }) => nodeFolder(location),
    ...(store === undefined ? {} : { store: filesIn(resolve(store)) }),
    ...(retriever === undefined ? {} : { retriever: modelFiles(resolve(retriever)) }),
    ...(other === undefined ? {} : { generator: modelFiles(resolve(other)) }),
    ...(template === undefined || text === undefined ? {} : { template: { text, file: template } }),
  })
})

/** What opening a run ends in. */
export type OpenRagError = Effect.Error<ReturnType<typeof openRun>> | ProviderUnavailable

/** What computes. */
export type RuntimeChoice = Pick<OpenRagOptions, "device" | "threads">

/** With a runtime of its own, which lives as long as the scope. */
const withRuntime = <A, E, R>(
  effect: Effect.Effect<A, E, R | Runtime>,
  { device, threads }: RuntimeChoice,
): Effect.Effect<A, E | ProviderUnavailable, Exclude<R, Runtime> | Scope.Scope> => {
  const runtime = runtimeLayer({
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
  })
  return Effect.flatMap(Layer.build(runtime), (context) => Effect.provide(effect, context))
}

/** `openRun` with a runtime of its own, which lives as long as the scope. */
export const openAlone = (
  run: string,
  { device, threads, ...options }: OpenRagOptions = {},
): Effect.Effect<RagSystem, OpenRagError, Scope.Scope> =>
  withRuntime(openRun(run, options), {
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
  })

/** `Rag` from a run's folder, on Node, Bun and Deno. */
export const layerRun = (run: string, options: OpenRagOptions = {}): Layer.Layer<Rag, OpenRagError> =>
  Layer.effect(Rag, openAlone(run, options))

/** A run's folder as something to ask, with promises, on Node, Bun and Deno. */
export const openRag = (run: string, { signal, ...options }: OpenRagOptions & Cancellable = {}): Promise<RagClient> =>
  openClient(openAlone(run, options), signal === undefined ? {} : { signal })

/** A system of parts (`makeRag`) as something to ask, with promises, on Node, Bun and Deno. */
export const openParts = (
  parts: RagParts,
  { signal, ...choice }: RuntimeChoice & Cancellable = {},
): Promise<RagClient> => openClient(withRuntime(makeRag(parts), choice), signal === undefined ? {} : { signal })
