import type { Tensor } from "@tandem/onnx"
import type { NumericType } from "../Runtime.ts"

/** A feed as it crosses to the worker: a tensor by value or a buffer by number. */
export type WireFeed = { readonly tensor: Tensor } | { readonly buffer: number }

/** What the main thread asks of the worker that owns ONNX Runtime. */
export type Request =
  | {
      readonly kind: "compile"
      readonly executable: number
      readonly model: Uint8Array
      /** Weights that lie beside the model, by the names that it has for their files. */
      readonly weights: readonly { readonly path: string; readonly data: Uint8Array }[]
      readonly optimize: "all" | "none"
      readonly profile: string | undefined
      /** Whether the graph, as it was given, quantizes or dequantizes anything. */
      readonly quantizes: boolean
      /** Whether it runs with inputs of many shapes. */
      readonly anyShape: boolean
    }
  | { readonly kind: "release"; readonly executable: number }
  | {
      readonly kind: "run"
      readonly executable: number
      readonly inputs: Readonly<Record<string, WireFeed>>
      readonly into: Readonly<Record<string, number>>
      readonly returned: readonly string[]
      /** Of `float32` outputs that are returned, the shapes that are known beforehand. */
      readonly shapes: Readonly<Record<string, readonly number[]>>
    }
  | { readonly kind: "upload"; readonly buffer: number; readonly tensor: Tensor }
  | {
      readonly kind: "zeros"
      readonly buffer: number
      readonly type: NumericType
      readonly dims: readonly number[]
    }
  | { readonly kind: "download"; readonly buffer: number }
  | { readonly kind: "free"; readonly buffer: number }
  | {
      readonly kind: "call"
      readonly module: string
      readonly name: string
      readonly parts: readonly {
        readonly buffers: Readonly<Record<string, readonly number[]>>
        readonly argument: unknown
      }[]
    }

export interface Call {
  readonly id: number
  readonly request: Request
}
export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string }

/** What the worker is started with. */
export interface WorkerSettings {
  readonly provider: "cpu" | "webgpu" | "cuda"
  readonly threads: number
}
