import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Tensor } from "@tandem/onnx"
import { readSafetensors } from "@tandem/safetensors"

export const goldenPath = (path: string): string =>
  fileURLToPath(new URL(`../../../../test/golden/${path}`, import.meta.url))

export const goldenBytes = (path: string): Uint8Array => new Uint8Array(readFileSync(goldenPath(path)))

export const goldenJson = (path: string) => JSON.parse(readFileSync(goldenPath(path), "utf8"))

export const goldenTensors = (path: string): ReadonlyMap<string, Tensor> => readSafetensors(goldenBytes(path)).tensors

/** The largest absolute difference between two float tensors of one shape. */
export const largestDifference = (a: Tensor | undefined, b: Tensor | undefined): number => {
  if (a === undefined || b === undefined) throw new Error("nothing to compare")
  if (a.dims.join() !== b.dims.join()) throw new Error(`shapes differ: [${a.dims}] and [${b.dims}]`)
  let most = 0
  for (let i = 0; i < a.data.length; i++) most = Math.max(most, Math.abs(Number(a.data[i]) - Number(b.data[i])))
  return most
}
