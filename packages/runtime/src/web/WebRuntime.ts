import { lower } from "@tandem/onnx"
import { Effect, Layer } from "effect"
import { ProviderUnavailable, RunFailed } from "../Errors.ts"
import { blockProducts } from "../internal/blockProducts.ts"
import { maskFactors } from "../internal/maskFactors.ts"
import type { Reply, Request } from "../internal/protocol.ts"
import { type Ask, alone, type Form, probe, service } from "../internal/service.ts"
import { requestDevice } from "../internal/web/requestDevice.ts"
import { type OrtWeb, WebEngine } from "../internal/web/WebEngine.ts"
import { Runtime, type WebProvider } from "../Runtime.ts"

/** Options of `layer`. */
export interface WebRuntimeOptions {
  /** `auto` takes the first of webgpu, wasm that works and says in `device.fallbacks` what did not; `wasm` where absent. */
  readonly device?: WebProvider | "auto"
  /** Threads of the WebAssembly build; more than one need a page that is isolated across origins. 1 where absent. */
  readonly threads?: number
  /** Folder, ending in `/`, that onnxruntime-web's `.wasm` files are fetched from; beside the script where absent. */
  readonly wasmPaths?: string
  /**
   * The WebAssembly of `onnxruntime-web/wasm` as a module that was imported, for platforms that compile none from bytes, as
   * Cloudflare's Workers: `import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm"`.
   */
  readonly wasmModule?: WebAssembly.Module
  /**
   * Modules of host kernels by URL, for bundles, in which no module can be imported by its URL:
   * `hostModules` of `@tandem/trainers/HostModules` holds the trainer's.
   */
  readonly modules?: Readonly<Record<string, object>>
}

/**
 * `Runtime` over onnxruntime-web: its WebAssembly build, in pages and on Node, and its WebGPU build where there is
 * `navigator.gpu`. It runs in the thread that builds the layer: in a page, take a worker to keep the page responsive.
 *
 * The package is one of its own, `npm install onnxruntime-web`. Where it is missing, and where a device cannot be had, the
 * layer ends in `ProviderUnavailable`, which says what to do; only `auto` falls back, and `device.fallbacks` tells. Under WebGPU
 * graphs are lowered (`lower`), and buffers stay on the device until the host reads or changes them.
 */
export const layer = (options: WebRuntimeOptions = {}): Layer.Layer<Runtime, ProviderUnavailable> =>
  Layer.effect(Runtime, make(options))

const make = Effect.fnUntraced(function* (options: WebRuntimeOptions) {
  const { device = "wasm", threads = 1 } = options
  const candidates: readonly WebProvider[] = device === "auto" ? ["webgpu", "wasm"] : [device]
  const fallbacks: string[] = []
  for (const [index, provider] of candidates.entries()) {
    const started = Effect.map(start(provider, options), (ask) => ({ ask }))
    const attempt =
      index === candidates.length - 1
        ? started
        : Effect.catch(started, (cause) => Effect.sync(() => void fallbacks.push(cause.message)))
    const result = yield* attempt
    if (result) return service(result.ask, { provider, threads, fallbacks }, forms[provider])
  }
  return yield* new ProviderUnavailable({ message: "no device is left to try" })
})

/** What each provider is given in place of a graph. */
const forms: Readonly<Record<WebProvider, Form>> = {
  wasm: (graph, masks) => blockProducts(maskFactors(graph, masks)),
  webgpu: lower,
}

const hints: Readonly<Record<WebProvider, string>> = {
  wasm: "serve onnxruntime-web's .wasm files beside the script, or say where they are with wasmPaths",
  webgpu: "WebGPU needs a secure page, a browser that has it switched on, and a GPU driver; or take the device wasm",
}

const installHint = "npm install onnxruntime-web; in a page, see that what the bundler wrote of it can be fetched"

/** The build of onnxruntime-web that has a provider; a page that never asks for WebGPU does not load its kernels. */
const builds: Readonly<Record<WebProvider, () => Promise<OrtWeb>>> = {
  wasm: () => import("onnxruntime-web/wasm"),
  webgpu: () => import("onnxruntime-web/webgpu"),
}

/** Loads ONNX Runtime and proves that the provider works by compiling a graph of one node. */
const start = Effect.fnUntraced(function* (provider: WebProvider, options: WebRuntimeOptions) {
  const unavailable = (reason: string, hint = hints[provider]): ProviderUnavailable =>
    new ProviderUnavailable({
      message: `the device ${provider} cannot be used: ${reason}`,
      field: "device",
      expected: provider,
      hint,
    })
  const device =
    provider === "webgpu"
      ? yield* Effect.tryPromise({ try: requestDevice, catch: (cause) => unavailable(reasonOf(cause)) })
      : undefined
  const ort = yield* Effect.tryPromise({
    try: builds[provider],
    catch: (cause) => unavailable(`onnxruntime-web cannot be loaded: ${reasonOf(cause)}`, installHint),
  })
  ort.env.wasm.numThreads = options.threads ?? 1
  if (options.wasmPaths !== undefined) ort.env.wasm.wasmPaths = options.wasmPaths
  const { wasmModule } = options
  if (wasmModule !== undefined) {
    // ONNX Runtime fetches nothing where it is given bytes, and these are never looked at.
    ort.env.wasm.wasmBinary = new Uint8Array(8)
  }
  const restore = wasmModule === undefined ? () => {} : instantiating(wasmModule)
  const engine = new WebEngine(ort, device, options.modules ?? {})
  const ask = asked(engine)
  yield* Effect.addFinalizer(() => Effect.promise(() => engine.close()))
  // It stays until the end, and with it the shaders that further sessions share.
  const probed = ask(
    {
      kind: "compile",
      executable: probeNumber,
      model: probe(),
      optimize: "all",
      ...alone,
    },
    () => undefined,
  )
  yield* Effect.mapError(Effect.ensuring(probed, Effect.sync(restore)), (cause) => unavailable(cause.message))
  return ask
})

/** No executable of the service has this number. */
const probeNumber = -2

/**
 * Lets whatever is instantiated from bytes become an instance of a module, until what it returns is called. ONNX Runtime
 * instantiates its WebAssembly when its first session is made, and lets nobody choose how.
 */
const instantiating = (module: WebAssembly.Module): (() => void) => {
  const own = WebAssembly.instantiate
  const instantiate = async (_: unknown, imports?: WebAssembly.Imports) => ({
    module,
    instance: await own(module, imports),
  })
  Object.defineProperty(WebAssembly, "instantiate", { value: instantiate, configurable: true, writable: true })
  return () => Object.defineProperty(WebAssembly, "instantiate", { value: own, configurable: true, writable: true })
}

/** Hands requests to the engine, one at a time and in order: sessions are not reentrant, and kernels change buffers. */
const asked = (engine: WebEngine): Ask => {
  let tail: Promise<unknown> = Promise.resolve()
  const answer = (request: Request): Promise<Reply> => {
    const reply = tail.then(() =>
      engine.handle(request).then(
        (value): Reply => ({ id: 0, ok: true, value }),
        (cause: unknown): Reply => ({ id: 0, ok: false, message: reasonOf(cause) }),
      ),
    )
    tail = reply
    return reply
  }
  return (request, decode) =>
    Effect.flatMap(
      Effect.promise(() => answer(request)),
      (reply) =>
        reply.ok ? Effect.sync(() => decode(reply.value)) : Effect.fail(new RunFailed({ message: reply.message })),
    )
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
