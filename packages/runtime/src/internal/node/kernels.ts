import type { Tensor } from "@tandem/onnx"

/** Arrays of a host kernel, by name. */
export type KernelArrays = Readonly<Record<string, readonly Exclude<Tensor["data"], readonly string[]>[]>>

/** A part of a host kernel's work, as it crosses to a worker and back; its arrays move, nothing is copied. */
export interface KernelTask {
  readonly id: number
  readonly module: string
  readonly name: string
  readonly arrays: KernelArrays
  readonly argument: unknown
}

/** What became of a task. */
export type KernelResult = { readonly id: number; readonly arrays: KernelArrays } & (
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string }
)

/** The memory behind arrays, to be moved with a message. */
export const memoryOf = (arrays: KernelArrays): ArrayBuffer[] =>
  Object.values(arrays).flatMap((list) =>
    list.map(({ buffer }) => {
      if (!(buffer instanceof ArrayBuffer)) throw new Error("a host kernel's arrays must be movable")
      return buffer
    }),
  )

/** Runs an exported function of a module. */
export const runKernel = async (
  module: string,
  name: string,
  arrays: KernelArrays,
  argument: unknown,
): Promise<unknown> => {
  const exported: Record<string, unknown> = await import(module)
  const kernel = exported[name]
  if (typeof kernel !== "function") throw new Error(`${module} exports no function ${name}`)
  return kernel(arrays, argument)
}
