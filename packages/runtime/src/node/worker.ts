// The thread that owns ONNX Runtime: sessions, resident buffers and host kernels live here, because a run blocks its
// thread and because resident arrays must be plain memory of the thread that runs.
import { parentPort, workerData } from "node:worker_threads"
import { elementCount, type Tensor, zeros } from "@tandem/onnx"
import * as ort from "onnxruntime-node"
import { narrowed } from "../internal/narrowed.ts"
import { type KernelArrays, runKernel } from "../internal/node/kernels.ts"
import { kernelWorkers } from "../internal/node/kernelWorkers.ts"
import { isUncopied, uncopied } from "../internal/node/uncopied.ts"
import { fromOrt, toOrt as ortTensor } from "../internal/ortTensors.ts"
import type { Call, Reply, Request, WireFeed, WorkerSettings } from "../internal/protocol.ts"

type Numeric = Exclude<Tensor["data"], readonly string[]>
interface Resident {
  tensor: ort.Tensor
  /** A second array for runs that read and write the same buffer. */
  spare: ort.Tensor | undefined
}
interface Session {
  readonly session: ort.InferenceSession
  readonly profiled: boolean
  readonly inputTypes: ReadonlyMap<string, string>
}

const settings: WorkerSettings = workerData

/**
 * ONNX Runtime writes its log to the process' standard error and hands it to nobody. What it writes there as an error it
 * throws as well, so only what ends the process is left to its log. The library's own environment is set up with the first
 * session.
 */
const silent = 4
ort.env.logLevel = "fatal"
const sessions = new Map<number, Session>()
const buffers = new Map<number, Resident>()

const toOrt = (tensor: Tensor): ort.Tensor => ortTensor(ort.Tensor, tensor)

const resident = (id: number): Resident => {
  const found = buffers.get(id)
  if (found === undefined) throw new Error("the buffer was released before")
  return found
}

const numeric = (value: ort.Tensor): Numeric => {
  const { data } = fromOrt(value)
  if (!ArrayBuffer.isView(data)) throw new Error("host kernels take numeric tensors")
  return data
}

/** Gives memory back at once, and not when the garbage of the thread is next collected. */
const giveBack = ({ buffer }: ArrayBufferView): void => {
  if (buffer instanceof ArrayBuffer) buffer.transfer?.(0)
}

const free = (id: number): void => {
  const found = buffers.get(id)
  buffers.delete(id)
  for (const tensor of [found?.tensor, found?.spare]) {
    const data = tensor === undefined ? undefined : fromOrt(tensor).data
    if (ArrayBuffer.isView(data)) giveBack(data)
  }
}

const compile = async (request: Extract<Request, { kind: "compile" }>): Promise<string[]> => {
  const options: ort.InferenceSession.SessionOptions = {
    executionProviders: [settings.provider],
    graphOptimizationLevel: request.optimize === "all" ? "all" : "disabled",
    intraOpNumThreads: settings.threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    // A planned block comes on top of what the first, unplanned run took: 1.6 times the memory for no speed. An arena is
    // kept by each session for itself: with the process' allocator instead, sessions of one shape that take turns share
    // their memory, and a run over batches of many shapes needs that of the largest one. A session that all shapes go
    // through keeps no more than its largest, where the process' allocator would leave holes of every size.
    enableMemPattern: false,
    enableCpuMemArena: request.anyShape,
    logSeverityLevel: silent,
    ...(request.weights.length === 0 ? {} : { externalData: request.weights }),
    ...(request.profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: request.profile }),
  }
  const fallbacks: string[] = []
  const create = async (): Promise<ort.InferenceSession> => {
    if (settings.provider === "cpu") {
      // Between runs the cores belong to host kernels and to other sessions. Masks that are applied as factors are no
      // quantized values, whose fusions would begin by doing the work of each once for every reader. The softmax leaves
      // numbers of 1e-39 where a mask hides a score, and the processor takes five times as long over each of those.
      const quantization = request.quantizes ? {} : { disable_quant_qdq: "1" }
      return ort.InferenceSession.create(request.model, {
        ...options,
        extra: { session: { force_spinning_stop: "1", set_denormal_as_zero: "1", ...quantization } },
      })
    }
    const strict = { ...options, extra: { session: { disable_cpu_ep_fallback: "1" } } } as const
    try {
      return await ort.InferenceSession.create(request.model, strict)
    } catch (cause) {
      fallbacks.push(`some operators run on the CPU: ${cause instanceof Error ? cause.message : String(cause)}`)
      return ort.InferenceSession.create(request.model, options)
    }
  }
  const session = await create().finally(() => {
    for (const { data } of request.weights) giveBack(data)
  })
  sessions.set(request.executable, {
    session,
    profiled: request.profile !== undefined,
    inputTypes: new Map(session.inputMetadata.flatMap((value) => (value.isTensor ? [[value.name, value.type]] : []))),
  })
  return fallbacks
}

const release = async (id: number): Promise<void> => {
  const found = sessions.get(id)
  sessions.delete(id)
  if (found?.profiled === true) found.session.endProfiling()
  await found?.session.release()
}

const feed = (value: WireFeed, type: string | undefined): ort.Tensor => {
  if ("tensor" in value) return toOrt(narrowed(value.tensor, type))
  const { tensor } = resident(value.buffer)
  return tensor.type === type ? tensor : toOrt(narrowed(fromOrt(tensor), type))
}

const run = async (request: Extract<Request, { kind: "run" }>): Promise<Record<string, Tensor>> => {
  const found = sessions.get(request.executable)
  if (found === undefined) throw new Error("the executable was released before")
  const feeds = Object.fromEntries(
    Object.entries(request.inputs).map(([name, value]) => [name, feed(value, found.inputTypes.get(name))]),
  )
  const read = new Set(Object.values(request.inputs).map((value) => ("buffer" in value ? value.buffer : -1)))
  const fetches: Record<string, ort.Tensor | null> = {}
  const swaps: Resident[] = []
  for (const [name, id] of Object.entries(request.into)) {
    const target = resident(id)
    if (read.has(id)) {
      target.spare ??= toOrt({ ...fromOrt(target.tensor), data: numeric(target.tensor).slice() })
      fetches[name] = target.spare
      swaps.push(target)
    } else {
      fetches[name] = target.tensor
    }
  }
  for (const name of request.returned) {
    const dims = request.shapes[name]
    const count = dims?.reduce((product, dim) => product * dim, 1)
    fetches[name] = dims === undefined ? null : new ort.Tensor("float32", new Float32Array(count ?? 0), dims)
  }
  const results = await runUncopied(found.session, feeds, fetches)
  for (const target of swaps) {
    const written = target.spare
    target.spare = target.tensor
    if (written !== undefined) target.tensor = written
  }
  return Object.fromEntries(
    request.returned.map((name) => {
      const value = results[name]
      if (value === undefined || value === null) throw new Error(`output ${name} did not come back`)
      return [name, fromOrt(value)]
    }),
  )
}

const runOptions: ort.InferenceSession.RunOptions = { logSeverityLevel: silent }

/** Runs a session; where every output has an array already, without the binding's copies of them. */
const runUncopied = async (
  session: ort.InferenceSession,
  feeds: Readonly<Record<string, ort.Tensor>>,
  fetches: Readonly<Record<string, ort.Tensor | null>>,
): Promise<Readonly<Record<string, ort.OnnxValue | null>>> => {
  if (!session.outputNames.includes(uncopied) || Object.values(fetches).includes(null)) {
    return session.run(feeds, fetches, runOptions)
  }
  try {
    await session.run(feeds, { ...fetches, [uncopied]: null }, runOptions)
  } catch (cause) {
    if (!isUncopied(cause)) throw cause
  }
  return fetches
}

const inWorker = kernelWorkers(Math.max(0, settings.threads - 1))

const call = async ({ module, name, parts }: Extract<Request, { kind: "call" }>): Promise<unknown[]> => {
  const helping = settings.threads > 1 ? parts.slice(1) : []
  const elsewhere = helping.map(async (part, index) => {
    const { buffers: named, argument } = part
    const done = await inWorker(index % (settings.threads - 1), { module, name, arrays: arraysOf(named), argument })
    restore(named, done.arrays)
    if (!done.ok) throw new Error(done.message)
    return done.value
  })
  const own: unknown[] = []
  try {
    for (const { buffers: named, argument } of parts.slice(0, parts.length - helping.length)) {
      own.push(await runKernel(module, name, arraysOf(named), argument))
    }
  } finally {
    await Promise.allSettled(elsewhere)
  }
  return [...own, ...(await Promise.all(elsewhere))]
}

type Named = Readonly<Record<string, readonly number[]>>

const arraysOf = (named: Named): KernelArrays =>
  Object.fromEntries(Object.entries(named).map(([key, ids]) => [key, ids.map((id) => numeric(resident(id).tensor))]))

/** Takes back arrays that were in another thread. */
const restore = (named: Named, arrays: KernelArrays): void => {
  for (const [key, ids] of Object.entries(named)) {
    for (const [index, id] of ids.entries()) {
      const place = resident(id)
      place.tensor = toOrt({ ...fromOrt(place.tensor), data: arrays[key]![index]! })
    }
  }
}

const handle = async (request: Request): Promise<unknown> => {
  switch (request.kind) {
    case "compile":
      return compile(request)
    case "release":
      return release(request.executable)
    case "run":
      return run(request)
    case "upload":
      buffers.set(request.buffer, { tensor: toOrt(request.tensor), spare: undefined })
      return undefined
    case "zeros": {
      const { buffer, type, dims } = request
      buffers.set(buffer, { tensor: toOrt({ type, dims, data: zeros(type, elementCount(dims)) }), spare: undefined })
      return undefined
    }
    case "download":
      return fromOrt(resident(request.buffer).tensor)
    case "free":
      free(request.buffer)
      return undefined
    case "call":
      return call(request)
  }
}

const port = parentPort
if (port === null) throw new Error("this module is the entry of a worker thread")

// One request at a time, in order: host kernels change the arrays that runs read.
let tail: Promise<void> = Promise.resolve()
port.on("message", ({ id, request }: Call) => {
  tail = tail.then(async () => {
    const reply: Reply = await handle(request).then(
      (value): Reply => ({ id, ok: true, value }),
      (cause: unknown): Reply => ({ id, ok: false, message: cause instanceof Error ? cause.message : String(cause) }),
    )
    port.postMessage(reply)
  })
})
