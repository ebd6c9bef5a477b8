import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Graph, Tensor } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { readSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"

/** A file of `test/golden/`. */
export const goldenBytes = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../golden/${path}`, import.meta.url))))

export const goldenJson = (path: string) => JSON.parse(new TextDecoder().decode(goldenBytes(path)))

export const goldenTensors = (path: string): ReadonlyMap<string, Tensor> => readSafetensors(goldenBytes(path)).tensors

/** Runs an effect that needs a runtime on the CPU. */
export const onCpu = <A, E>(effect: Effect.Effect<A, E, Runtime>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, layer({ threads: 1 })))

/** Runs a graph once. */
export const execute = (graph: Graph, inputs: Readonly<Record<string, Tensor>>) =>
  onCpu(
    Effect.scoped(
      Effect.gen(function* () {
        const executable = yield* (yield* Runtime).compile(graph)
        return yield* executable.run(inputs)
      }),
    ),
  )

const norm = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values))

const numbers = (value: Tensor | undefined, name: string): readonly number[] => {
  if (value === undefined) throw new Error(`${name} is missing`)
  return Array.from(value.data, Number)
}

/**
 * Largest error over all gradients, each as ‖Δ‖ / max(‖g‖, 1e-3 · the largest ‖g‖): some gradients are zero by
 * symmetry (attention's key biases), and their rounding means nothing.
 */
export const gradientError = (
  expected: ReadonlyMap<string, Tensor>,
  found: (name: string) => Tensor | undefined,
): { readonly name: string; readonly error: number } => {
  const largest = Math.max(...[...expected].map(([name, value]) => norm(numbers(value, name))))
  let worst = { name: "", error: 0 }
  for (const [name, value] of expected) {
    const e = numbers(value, name)
    const f = numbers(found(name), name)
    if (e.length !== f.length) throw new Error(`${name} has ${f.length} elements and not ${e.length}`)
    const error = norm(e.map((x, index) => x - f[index]!)) / Math.max(norm(e), 1e-3 * largest)
    if (!(error <= worst.error)) worst = { name, error }
  }
  return worst
}

/** Largest error of norms and waves, each by the gradient's norm; what is 0 by symmetry is measured by the largest. */
export const summaryError = (
  expected: Readonly<Record<string, readonly [number, number]>>,
  found: ReadonlyMap<string, readonly number[]>,
): number => {
  const floor = 1e-3 * Math.max(...Object.values(expected).map(([norm]) => norm))
  const errors = [...found].map(([name, values]) => {
    const [norm, wave] = expected[name] ?? [Number.NaN, Number.NaN]
    const waves = values.reduce((sum, value, index) => sum + value * Math.cos(index), 0)
    // A sum over all elements gathers more rounding than a norm.
    const error = Math.max(Math.abs(Math.hypot(...values) - norm), Math.abs(waves - wave) / 2)
    return error / Math.max(norm, floor)
  })
  return Math.max(...errors)
}
