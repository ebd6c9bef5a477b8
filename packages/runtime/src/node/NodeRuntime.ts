import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { lower } from "@tandem/onnx"
import { Effect, Layer } from "effect"
import { ProviderUnavailable, RunFailed } from "../Errors.ts"
import { blockProducts } from "../internal/blockProducts.ts"
import { maskFactors } from "../internal/maskFactors.ts"
import { deviceThreads } from "../internal/node/deviceThreads.ts"
import { withUncopied } from "../internal/node/uncopied.ts"
import type { Reply, WorkerSettings } from "../internal/protocol.ts"
import { type Ask, alone, type Form, probe, service } from "../internal/service.ts"
import { type NodeProvider, Runtime } from "../Runtime.ts"

/** Options of `layer`. */
export interface NodeRuntimeOptions {
  /** `auto` takes the first of cuda, webgpu, cpu that works and says in `device.fallbacks` what did not. */
  readonly device?: NodeProvider | "auto"
  /** Threads of ONNX Runtime's pool; as many as the machine has cores where absent. */
  readonly threads?: number
}

/**
 * `Runtime` over onnxruntime-node, in a worker thread so that the calling thread stays responsive.
 *
 * ONNX Runtime's telemetry is off: `ORT_DISABLE_TELEMETRY` is set to 1 for the process, where it is not set to anything. A
 * thread cannot set it for its process: whoever builds the layer outside of the main thread sets it beforehand.
 *
 * The package is one of its own, `npm install onnxruntime-node`. Where it is missing, and where a device cannot be had, the
 * layer ends in `ProviderUnavailable`, which says what to do; only `auto` falls back, and `device.fallbacks` tells.
 */
export const layer = (options: NodeRuntimeOptions = {}): Layer.Layer<Runtime, ProviderUnavailable> =>
  Layer.effect(Runtime, make(options))

const make = Effect.fnUntraced(function* (options: NodeRuntimeOptions) {
  yield* refuseLongCommandLine
  const threads = options.threads ?? availableParallelism()
  const candidates: readonly NodeProvider[] =
    options.device === "auto" ? ["cuda", "webgpu", "cpu"] : [options.device ?? "cpu"]
  const fallbacks: string[] = []
  for (const [index, provider] of candidates.entries()) {
    const started = start({ provider, threads })
    const attempt =
      index === candidates.length - 1
        ? Effect.map(started, (ask) => ({ ask }))
        : Effect.catch(
            Effect.map(started, (ask) => ({ ask })),
            (cause) => Effect.sync(() => void fallbacks.push(cause.message)),
          )
    const result = yield* attempt
    if (result) return service(result.ask, { provider, threads, fallbacks }, forms[provider])
  }
  return yield* new ProviderUnavailable({ message: "no device is left to try" })
})

/**
 * ONNX Runtime's telemetry copies the command line of the process to the stack of the runtime's thread, and one of more
 * than about 14 KB ends the process there, without a word.
 */
const longestCommandLine = 12_000

const refuseLongCommandLine: Effect.Effect<void, ProviderUnavailable> = Effect.suspend(() => {
  const bytes = [...process.execArgv, ...process.argv].reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0)
  if (bytes <= longestCommandLine || (process.env["ORT_DISABLE_TELEMETRY"] ?? "1") === "1") return Effect.void
  return Effect.fail(
    new ProviderUnavailable({
      message: "the arguments of this process are too long for ONNX Runtime",
      field: "arguments",
      expected: `at most ${longestCommandLine} bytes`,
      found: `${bytes} bytes`,
      hint: "give long texts in a file or on standard input, or set ORT_DISABLE_TELEMETRY=1",
    }),
  )
})

/** What each provider is given in place of a graph. */
const forms: Readonly<Record<NodeProvider, Form>> = {
  cpu: (graph, masks) => withUncopied(blockProducts(maskFactors(graph, masks))),
  webgpu: lower,
  cuda: (graph) => graph,
}

const hints: Readonly<Record<NodeProvider, string>> = {
  cpu: "reinstall onnxruntime-node for this platform",
  webgpu: "a Vulkan, Metal or Direct3D 12 driver is needed; or choose the device cpu",
  cuda: "CUDA's libraries are not part of the npm package: ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false; or choose the device cpu",
}

const installHint =
  "npm install onnxruntime-node; if its install script cannot download, with ONNXRUNTIME_NODE_INSTALL=skip in the environment"

/** Whether the thread ended because the package is not there, in the words of Node, Bun or Deno. */
const isMissing = ({ message }: RunFailed): boolean => /(find|resolve)\b[^\n]*["']onnxruntime-node["']/i.test(message)

/**
 * ONNX Runtime's builds write a device id and a file of events into the home folder, and send them, unless this variable of
 * the process says otherwise; it is read as the library is loaded. What a person has set stays.
 */
const withoutTelemetry = Effect.sync(() => {
  process.env["ORT_DISABLE_TELEMETRY"] ??= "1"
})

/** Starts the worker and proves that the provider works by running a graph of one node. */
const start = Effect.fnUntraced(function* (settings: WorkerSettings) {
  yield* withoutTelemetry
  const url = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)
  const pending = new Map<number, (reply: Reply) => void>()
  const waiting = new Set<() => void>()
  // A thread that is ended inside of ONNX Runtime, as it starts above all, can take the process with it.
  const idle = (): Promise<void> =>
    new Promise((resolve) => {
      if (pending.size === 0) resolve()
      else waiting.add(resolve)
    })
  const tellIdle = (): void => {
    if (pending.size > 0) return
    for (const resolve of waiting) resolve()
    waiting.clear()
  }
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => {
      deviceThreads.idle.add(idle)
      return new Worker(url, { workerData: settings })
    }),
    (running) =>
      Effect.promise(async () => {
        await idle()
        deviceThreads.idle.delete(idle)
        // Its end is waited for, whether or not anything else keeps the process alive.
        running.ref()
        await running.terminate()
      }),
  )
  let next = 0
  let dead: string | undefined
  const stop = (message: string): void => {
    dead ??= message
    for (const [id, resume] of pending) resume({ id, ok: false, message })
    pending.clear()
    tellIdle()
  }
  worker.on("message", (reply: Reply) => {
    pending.get(reply.id)?.(reply)
    pending.delete(reply.id)
    tellIdle()
  })
  worker.on("error", (cause) => stop(`the runtime's thread failed: ${String(cause)}`))
  worker.on("exit", () => stop("the runtime's thread has ended"))
  worker.unref()
  const ask: Ask = (request, decode, given = []) =>
    Effect.callback((resume) => {
      if (deviceThreads.closed) return
      const id = next++
      if (dead !== undefined) return resume(new RunFailed({ message: dead }))
      worker.ref()
      pending.set(id, (reply) => {
        if (pending.size <= 1) worker.unref()
        resume(
          reply.ok ? Effect.sync(() => decode(reply.value)) : Effect.fail(new RunFailed({ message: reply.message })),
        )
      })
      worker.postMessage({ id, request }, given)
    })
  yield* Effect.mapError(
    ask(
      {
        kind: "compile",
        executable: -1,
        model: probe(),
        optimize: "all",
        ...alone,
      },
      () => undefined,
    ),
    (cause) =>
      new ProviderUnavailable({
        message: isMissing(cause)
          ? `the device ${settings.provider} needs the package onnxruntime-node, which is not installed`
          : `the device ${settings.provider} cannot be used: ${cause.message}`,
        field: "device",
        expected: settings.provider,
        hint: isMissing(cause) ? installHint : hints[settings.provider],
      }),
  )
  yield* Effect.orDie(ask({ kind: "release", executable: -1 }, () => undefined))
  return ask
})
