import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { type Graph, staticDims, type Tensor, writeModel } from "@tandem/onnx"
import { Effect, Layer, type Scope } from "effect"
import { CompileFailed, ProviderUnavailable, RunFailed } from "../Errors.ts"
import { withUncopied } from "../internal/node/uncopied.ts"
import type { Reply, Request, WireFeed, WorkerSettings } from "../internal/protocol.ts"
import {
  type Buffer,
  type CompileOptions,
  type Device,
  type Executable,
  type Feed,
  type Provider,
  Runtime,
} from "../Runtime.ts"

/** Options of `layer`. */
export interface NodeRuntimeOptions {
  /** `auto` takes the first of cuda, webgpu, cpu that works and says in `device.fallbacks` what did not. */
  readonly device?: Provider | "auto"
  /** Threads of ONNX Runtime's pool; as many as the machine has cores where absent. */
  readonly threads?: number
}

type Ask = <A>(request: Request, decode: (value: unknown) => A) => Effect.Effect<A, RunFailed>

/**
 * `Runtime` over onnxruntime-node, in a worker thread so that the calling thread stays responsive.
 *
 * A device that cannot be had is `ProviderUnavailable`; only `auto` falls back, and `device.fallbacks` tells.
 */
export const layer = (options: NodeRuntimeOptions = {}): Layer.Layer<Runtime, ProviderUnavailable> =>
  Layer.effect(Runtime, make(options))

const make = Effect.fnUntraced(function* (options: NodeRuntimeOptions) {
  const threads = options.threads ?? availableParallelism()
  const candidates: readonly Provider[] =
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
    if (result) return service(result.ask, { provider, threads, fallbacks })
  }
  return yield* new ProviderUnavailable({ message: "no device is left to try" })
})

const hints: Readonly<Record<Provider, string>> = {
  cpu: "reinstall onnxruntime-node for this platform",
  webgpu: "a Vulkan, Metal or Direct3D 12 driver is needed; run `tandem doctor`, or use --device cpu",
  cuda: "CUDA's libraries are not part of the npm package: ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false; run `tandem doctor`, or use --device cpu",
}

/** Starts the worker and proves that the provider works by running a graph of one node. */
const start = Effect.fnUntraced(function* (settings: WorkerSettings) {
  const url = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)
  const worker = yield* Effect.acquireRelease(
    Effect.sync(() => new Worker(url, { workerData: settings })),
    (running) => Effect.promise(() => running.terminate()),
  )
  const pending = new Map<number, (reply: Reply) => void>()
  let next = 0
  let dead: string | undefined
  const stop = (message: string): void => {
    dead ??= message
    for (const [id, resume] of pending) resume({ id, ok: false, message })
    pending.clear()
  }
  worker.on("message", (reply: Reply) => {
    pending.get(reply.id)?.(reply)
    pending.delete(reply.id)
  })
  worker.on("error", (cause) => stop(`the runtime's thread failed: ${String(cause)}`))
  worker.on("exit", () => stop("the runtime's thread has ended"))
  worker.unref()
  const ask: Ask = (request, decode) =>
    Effect.callback((resume) => {
      const id = next++
      if (dead !== undefined) return resume(new RunFailed({ message: dead }))
      worker.ref()
      pending.set(id, (reply) => {
        if (pending.size <= 1) worker.unref()
        resume(
          reply.ok ? Effect.sync(() => decode(reply.value)) : Effect.fail(new RunFailed({ message: reply.message })),
        )
      })
      worker.postMessage({ id, request })
    })
  const probe = writeModel({
    name: "probe",
    inputs: [{ name: "x", type: "float32", dims: [1] }],
    outputs: [{ name: "y", type: "float32", dims: [1] }],
    nodes: [{ op: "Neg", domain: "", name: "probe", inputs: ["x"], outputs: ["y"], attributes: {} }],
    initializers: new Map(),
    values: new Map(),
    opsets: new Map([["", 17]]),
  })
  yield* Effect.mapError(
    ask({ kind: "compile", executable: -1, model: probe, optimize: "all", profile: undefined }, () => undefined),
    (cause) =>
      new ProviderUnavailable({
        message: `the device ${settings.provider} cannot be used: ${cause.message}`,
        field: "device",
        expected: settings.provider,
        hint: hints[settings.provider],
      }),
  )
  yield* Effect.orDie(ask({ kind: "release", executable: -1 }, () => undefined))
  return ask
})

const service = (ask: Ask, device: Device): Runtime["Service"] => {
  let executables = 0
  let buffers = 0
  const compile = Effect.fnUntraced(function* (
    graph: Graph,
    options: CompileOptions = {},
  ): Effect.fn.Return<Executable, CompileFailed, Scope.Scope> {
    const executable = executables++
    const compiled = ask(
      {
        kind: "compile",
        executable,
        model: writeModel(device.provider === "cpu" ? withUncopied(graph) : graph),
        optimize: options.optimize ?? "all",
        profile: options.profile,
      },
      asStrings,
    )
    const fallbacks = yield* Effect.acquireRelease(
      Effect.mapError(
        compiled,
        (cause) => new CompileFailed({ message: `graph ${graph.name} does not compile: ${cause.message}` }),
      ),
      () => Effect.ignore(ask({ kind: "release", executable }, () => undefined)),
    )
    const run: Executable["run"] = (inputs, { into = {}, only } = {}) => {
      const returned = (only ?? graph.outputs.map((value) => value.name)).filter((name) => into[name] === undefined)
      return Effect.andThen(
        checkInputs(graph, inputs),
        ask(
          {
            kind: "run",
            executable,
            inputs: Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, toWire(value)])),
            into: Object.fromEntries(Object.entries(into).map(([name, buffer]) => [name, buffer.id])),
            returned,
          },
          asTensors,
        ),
      )
    }
    return { inputs: graph.inputs, outputs: graph.outputs, fallbacks, run }
  })
  return {
    device,
    compile,
    upload: (tensor) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          const id = buffers++
          return ask(
            { kind: "upload", buffer: id, tensor: alone(tensor) },
            (): Buffer => ({ id, type: tensor.type, dims: tensor.dims }),
          )
        }),
        (buffer) => Effect.ignore(ask({ kind: "free", buffer: buffer.id }, () => undefined)),
      ),
    write: (buffer, tensor) =>
      buffer.type === tensor.type && `${buffer.dims}` === `${tensor.dims}`
        ? ask({ kind: "upload", buffer: buffer.id, tensor: alone(tensor) }, () => undefined)
        : Effect.fail(
            new RunFailed({
              message: "a buffer was overwritten with a tensor of another type or shape",
              expected: `${buffer.type}[${buffer.dims}]`,
              found: `${tensor.type}[${tensor.dims}]`,
            }),
          ),
    download: (buffer) => ask({ kind: "download", buffer: buffer.id }, asTensor),
    call: (kernel, named, argument) =>
      ask(
        {
          kind: "call",
          module: kernel.module,
          name: kernel.name,
          buffers: Object.fromEntries(
            Object.entries(named).map(([name, list]) => [name, list.map((buffer) => buffer.id)]),
          ),
          argument,
        },
        (value) => value,
      ),
  }
}

const toWire = (value: Feed): WireFeed => ("id" in value ? { buffer: value.id } : { tensor: alone(value) })

/** The tensor with an array of its own: a message copies the whole memory behind a view, such as a model's file. */
const alone = (tensor: Tensor): Tensor => {
  const { data } = tensor
  return ArrayBuffer.isView(data) && data.byteLength < data.buffer.byteLength
    ? { ...tensor, data: data.slice() }
    : tensor
}

const checkInputs = (graph: Graph, inputs: Readonly<Record<string, Feed>>): Effect.Effect<void, RunFailed> => {
  for (const input of graph.inputs) {
    const given = inputs[input.name]
    const expected = `${input.type}[${input.dims}]`
    if (given === undefined) {
      return Effect.fail(new RunFailed({ message: `input ${input.name} is missing`, field: input.name, expected }))
    }
    const dims = staticDims(input.dims)
    if (given.type !== input.type || (dims !== undefined && `${dims}` !== `${given.dims}`)) {
      return Effect.fail(
        new RunFailed({
          message: `input ${input.name} does not fit the graph`,
          field: input.name,
          expected,
          found: `${given.type}[${given.dims}]`,
        }),
      )
    }
  }
  return Effect.void
}

const isTensor = (value: unknown): value is Tensor =>
  typeof value === "object" && value !== null && "type" in value && "dims" in value && "data" in value

const asTensor = (value: unknown): Tensor => {
  if (!isTensor(value)) throw new TypeError("the runtime's thread answered with something that is no tensor")
  return value
}

const asTensors = (value: unknown): Readonly<Record<string, Tensor>> =>
  Object.fromEntries(Object.entries(value ?? {}).map(([name, item]) => [name, asTensor(item)]))

const asStrings = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : [])
