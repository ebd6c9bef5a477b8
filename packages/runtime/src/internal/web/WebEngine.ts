import { elementCount, type Tensor, zeros } from "@tandem/onnx"
import type * as ort from "onnxruntime-web/wasm"
import { narrowed } from "../narrowed.ts"
import { fromOrt, toOrt } from "../ortTensors.ts"
import type { Request, WireFeed } from "../protocol.ts"
import { DeviceTensor, deviceType } from "./DeviceTensor.ts"

/** Both builds of onnxruntime-web look like this. */
export type OrtWeb = Pick<typeof ort, "InferenceSession" | "Tensor" | "env">

/** What ONNX Runtime writes to the console as an error it throws as well, so only what ends it is left to its log. */
const silent = 4

interface Session {
  readonly session: ort.InferenceSession
  readonly inputTypes: ReadonlyMap<string, string>
  readonly profiled: boolean
}

/**
 * The owner of onnxruntime-web's sessions and of resident buffers: on WebGPU where it has a device, else in WebAssembly.
 * Requests must come one after the other.
 */
export class WebEngine {
  readonly #ort: OrtWeb
  readonly #device: GPUDevice | undefined
  readonly #modules: Readonly<Record<string, object>>
  readonly #sessions = new Map<number, Session>()
  readonly #buffers = new Map<number, DeviceTensor>()

  constructor(library: OrtWeb, device: GPUDevice | undefined, modules: Readonly<Record<string, object>>) {
    this.#ort = library
    library.env.logLevel = "fatal"
    this.#device = device
    this.#modules = modules
  }

  async handle(request: Request): Promise<unknown> {
    switch (request.kind) {
      case "compile":
        return this.#compile(request)
      case "release": {
        const found = this.#sessions.get(request.executable)
        this.#sessions.delete(request.executable)
        if (found?.profiled === true) found.session.endProfiling()
        return found?.session.release()
      }
      case "run":
        return this.#run(request)
      case "upload": {
        const known = this.#buffers.get(request.buffer)
        if (known === undefined) this.#buffers.set(request.buffer, new DeviceTensor(copied(request.tensor)))
        else known.replace(copied(request.tensor))
        return undefined
      }
      case "zeros": {
        const { buffer, type, dims } = request
        this.#buffers.set(buffer, new DeviceTensor({ type, dims, data: zeros(type, elementCount(dims)) }))
        return undefined
      }
      case "download":
        return copied(await this.#resident(request.buffer).host())
      case "free":
        this.#buffers.get(request.buffer)?.release()
        this.#buffers.delete(request.buffer)
        return undefined
      case "call":
        return this.#call(request)
    }
  }

  /** Ends what is left and gives the device back. */
  async close(): Promise<void> {
    for (const buffer of this.#buffers.values()) buffer.release()
    for (const { session } of this.#sessions.values()) await session.release()
    this.#buffers.clear()
    this.#sessions.clear()
    this.#device?.destroy()
  }

  async #compile(request: Extract<Request, { kind: "compile" }>): Promise<readonly string[]> {
    const options: ort.InferenceSession.SessionOptions = {
      executionProviders: [this.#device === undefined ? "wasm" : { name: "webgpu", device: this.#device }],
      graphOptimizationLevel: request.optimize === "all" ? "all" : "disabled",
      logSeverityLevel: silent,
      ...(request.weights.length === 0 ? {} : { externalData: request.weights }),
      ...(request.profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: request.profile }),
    }
    const fallbacks: string[] = []
    const create = async (): Promise<ort.InferenceSession> => {
      const { InferenceSession } = this.#ort
      if (this.#device === undefined) return InferenceSession.create(request.model, options)
      const strict = { ...options, extra: { session: { disable_cpu_ep_fallback: "1" } } } as const
      try {
        return await InferenceSession.create(request.model, strict)
      } catch (cause) {
        fallbacks.push(`some operators run on the CPU: ${cause instanceof Error ? cause.message : String(cause)}`)
        return InferenceSession.create(request.model, options)
      }
    }
    const session = await create()
    this.#sessions.set(request.executable, {
      session,
      inputTypes: new Map(session.inputMetadata.flatMap((value) => (value.isTensor ? [[value.name, value.type]] : []))),
      profiled: request.profile !== undefined,
    })
    return fallbacks
  }

  async #run(request: Extract<Request, { kind: "run" }>): Promise<Readonly<Record<string, Tensor>>> {
    const found = this.#sessions.get(request.executable)
    if (found === undefined) throw new Error("the executable was released before")
    const feeds: Record<string, ort.Tensor> = {}
    const read = new Set<number>()
    for (const [name, value] of Object.entries(request.inputs)) {
      if ("buffer" in value) read.add(value.buffer)
      feeds[name] = await this.#feed(value, found.inputTypes.get(name))
    }
    // A WebAssembly session leaves an output that it is given untouched, so only device buffers are handed in.
    const fetches: Record<string, ort.Tensor | null> = {}
    for (const name of request.returned) fetches[name] = null
    for (const [name, id] of Object.entries(request.into)) {
      const target = this.#resident(id)
      fetches[name] =
        this.#device === undefined || deviceType(target.type) === undefined
          ? null
          : target.output(this.#ort, this.#device, read.has(id))
    }
    const results = await found.session.run(feeds, fetches, { logSeverityLevel: silent })
    for (const [name, id] of Object.entries(request.into)) {
      const target = this.#resident(id)
      if (fetches[name] === null) target.replace(fromOrt(outputOf(results, name)))
      else target.written()
    }
    return Object.fromEntries(request.returned.map((name) => [name, fromOrt(outputOf(results, name))]))
  }

  async #feed(value: WireFeed, type: string | undefined): Promise<ort.Tensor> {
    if ("tensor" in value) return toOrt(this.#ort.Tensor, narrowed(value.tensor, type))
    const buffer = this.#resident(value.buffer)
    if (this.#device !== undefined && buffer.type === type && deviceType(buffer.type) !== undefined) {
      return buffer.input(this.#ort, this.#device)
    }
    return toOrt(this.#ort.Tensor, narrowed(await buffer.host(), type))
  }

  async #call(request: Extract<Request, { kind: "call" }>): Promise<unknown[]> {
    const module: object = this.#modules[request.module] ?? (await import(request.module))
    const kernel: unknown = Object.entries(module).find(([name]) => name === request.name)?.[1]
    if (typeof kernel !== "function") throw new Error(`${request.module} exports no function ${request.name}`)
    const results: unknown[] = []
    for (const part of request.parts) {
      const arrays: Record<string, readonly unknown[]> = {}
      const touched: DeviceTensor[] = []
      for (const [name, ids] of Object.entries(part.buffers)) {
        const buffers = ids.map((id) => this.#resident(id))
        const tensors = await Promise.all(buffers.map((buffer) => buffer.host()))
        touched.push(...buffers)
        arrays[name] = tensors.map(({ data }) => data)
      }
      results.push(await kernel(arrays, part.argument))
      for (const buffer of touched) buffer.changed()
    }
    return results
  }

  #resident(id: number): DeviceTensor {
    const found = this.#buffers.get(id)
    if (found === undefined) throw new Error("the buffer was released before")
    return found
  }
}

const outputOf = (results: ort.InferenceSession.ReturnType, name: string): ort.Tensor => {
  const value = results[name]
  if (value === undefined) throw new Error(`output ${name} did not come back`)
  return value
}

/** Kernels and runs change resident arrays in place, so nobody else may hold them. */
const copied = (tensor: Tensor): Tensor =>
  ArrayBuffer.isView(tensor.data) ? { ...tensor, data: tensor.data.slice() } : tensor
