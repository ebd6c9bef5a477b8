import type { Graph, Tensor, Value } from "@tandem/onnx"
import { Context, type Effect, type Scope } from "effect"
import type { CompileFailed, RunFailed } from "./Errors.ts"

/** Execution providers that onnxruntime-node has. */
export type NodeProvider = "cpu" | "webgpu" | "cuda"

/** Execution providers that onnxruntime-web has. */
export type WebProvider = "wasm" | "webgpu"

/** Execution providers that this package knows. */
export type Provider = NodeProvider | WebProvider

/** What a runtime really runs on. */
export interface Device {
  readonly provider: Provider
  readonly threads: number
  /** What was asked for and could not be had, in words; empty where nothing fell back. */
  readonly fallbacks: readonly string[]
}

/** A tensor that stays where the runtime keeps its memory; valid until the scope that made it ends. */
export interface Buffer {
  readonly id: number
  readonly type: Tensor["type"]
  readonly dims: readonly number[]
}

/** Element types that buffers of zeros may have. */
export type NumericType = Exclude<Tensor["type"], "string">

/** What a run reads: a tensor that travels with the call, or a resident buffer. */
export type Feed = Tensor | Buffer

/** Options of one run. */
export interface RunOptions {
  /**
   * Outputs that are written into resident buffers and not returned. A buffer may also be an input of the same run:
   * then the output is written beside it and the two change places afterwards (aliasing them would be silently wrong).
   */
  readonly into?: Readonly<Record<string, Buffer>>
  /** Outputs to compute; all where absent. */
  readonly only?: readonly string[]
}

/** A compiled graph. */
export interface Executable {
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  /** Operators that the device's provider left to the CPU, in words; empty on CPU. */
  readonly fallbacks: readonly string[]
  readonly run: (
    inputs: Readonly<Record<string, Feed>>,
    options?: RunOptions,
  ) => Effect.Effect<Readonly<Record<string, Tensor>>, RunFailed>
}

/** Options of `Runtime.compile`. */
export interface CompileOptions {
  /** ONNX Runtime's graph optimizations; `none` keeps every intermediate value as the graph names it. */
  readonly optimize?: "all" | "none"
  /**
   * Inputs of type `bool` that are dropout's masks: where the graph chooses by one between finite values and 0, it may
   * multiply by it instead. The graph's inputs stay as they are.
   */
  readonly masks?: readonly string[]
  /** Writes ONNX Runtime's per-operator profile beside this path prefix when the executable is released. */
  readonly profile?: string
}

export interface UploadOptions {
  /**
   * The tensor is not needed any more: where the device works in another thread and nothing else lies in the tensor's
   * memory, the memory goes there, and the tensor is empty afterwards.
   */
  readonly handOver?: boolean
}

/**
 * A function on host memory that runs where the buffers are (an optimizer's loop): an exported function of a module,
 * called with typed arrays by name and one structured-clonable argument; it may change the arrays in place.
 */
export interface HostKernel {
  /** URL of the module. */
  readonly module: string
  readonly name: string
}

/** What the function behind a `HostKernel` looks like. */
export type HostFunction = (
  arrays: Readonly<Record<string, readonly Exclude<Tensor["data"], readonly string[]>[]>>,
  argument: unknown,
) => unknown

/** What one thread of a host kernel works on. */
export interface KernelPart {
  readonly buffers: Readonly<Record<string, readonly Buffer[]>>
  readonly argument: unknown
}

/**
 * Compiles and runs graphs, and keeps tensors resident between runs.
 *
 * Layers: `NodeRuntime.layer` (`@tandem/runtime/node/NodeRuntime`) over onnxruntime-node in a worker thread, and
 * `WebRuntime.layer` (`@tandem/runtime/web/WebRuntime`) over onnxruntime-web in the calling thread.
 */
export class Runtime extends Context.Service<
  Runtime,
  {
    readonly device: Device
    /** Compiles a graph; it is released with the scope. */
    readonly compile: (graph: Graph, options?: CompileOptions) => Effect.Effect<Executable, CompileFailed, Scope.Scope>
    /** Puts a tensor into a resident buffer that lives as long as the scope; it is copied where nothing else is said. */
    readonly upload: (tensor: Tensor, options?: UploadOptions) => Effect.Effect<Buffer, RunFailed, Scope.Scope>
    /** A resident buffer of zeros that lives as long as the scope; nothing is copied to where it lies. */
    readonly zeros: (type: NumericType, dims: readonly number[]) => Effect.Effect<Buffer, RunFailed, Scope.Scope>
    /** Overwrites a resident buffer; type and shape must agree. */
    readonly write: (buffer: Buffer, tensor: Tensor) => Effect.Effect<void, RunFailed>
    /** Copies a resident buffer out. */
    readonly download: (buffer: Buffer) => Effect.Effect<Tensor, RunFailed>
    /** Runs a host function over resident buffers. */
    readonly call: (
      kernel: HostKernel,
      buffers: Readonly<Record<string, readonly Buffer[]>>,
      argument: unknown,
    ) => Effect.Effect<unknown, RunFailed>
    /**
     * Runs a host function on several parts, each in a thread of its own where the device has as many; results come in
     * the parts' order. No two parts may share a buffer.
     */
    readonly callEach: (
      kernel: HostKernel,
      parts: readonly KernelPart[],
    ) => Effect.Effect<readonly unknown[], RunFailed>
  }
>()("@tandem/runtime/Runtime") {}
