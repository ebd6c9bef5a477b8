import { filesAt, type ReadFiles } from "@tandem/files"
import type { ProviderUnavailable } from "@tandem/runtime"
import { layer as runtimeLayer, type WebRuntimeOptions } from "@tandem/runtime/web/WebRuntime"
import { Effect, Layer, type Scope } from "effect"
import { type Cancellable, openClient, type RagClient } from "../RagClient.ts"
import { Rag, type RagSystem } from "../RagSystem.ts"
import { type ReadRagError, type ReadRagOptions, readRag } from "../ReadRag.ts"

/** What of a run is replaced, and what computes: WebAssembly where nothing is said, or WebGPU. */
export interface OpenRagOptions extends ReadRagOptions, WebRuntimeOptions {}

/** What opening a run ends in. */
export type OpenRagError = ReadRagError | ProviderUnavailable

/** A run behind an address, or as files wherever they lie, with a runtime of its own, which lives as long as the scope. */
export const openAlone = (
  run: string | URL | ReadFiles,
  { device, threads, wasmPaths, wasmModule, modules, ...options }: OpenRagOptions = {},
): Effect.Effect<RagSystem, OpenRagError, Scope.Scope> => {
  const runtime = runtimeLayer({
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
    ...(wasmPaths === undefined ? {} : { wasmPaths }),
    ...(wasmModule === undefined ? {} : { wasmModule }),
    ...(modules === undefined ? {} : { modules }),
  })
  const files = typeof run === "string" || run instanceof URL ? filesAt(run) : run
  return Effect.flatMap(Layer.build(runtime), (context) => Effect.provide(readRag(files, options), context))
}

/** `Rag` from a run behind an address or as files, over onnxruntime-web: in pages, workers and at the edge. */
export const layerRun = (run: string | URL | ReadFiles, options: OpenRagOptions = {}): Layer.Layer<Rag, OpenRagError> =>
  Layer.effect(Rag, openAlone(run, options))

/** A run behind an address or as files as something to ask, with promises, over onnxruntime-web. */
export const openRag = (
  run: string | URL | ReadFiles,
  { signal, ...options }: OpenRagOptions & Cancellable = {},
): Promise<RagClient> => openClient(openAlone(run, options), signal === undefined ? {} : { signal })
