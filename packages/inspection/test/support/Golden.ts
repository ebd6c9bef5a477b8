import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Tensor } from "@tandem/onnx"
import { readSafetensors } from "@tandem/safetensors"

const goldenPath = (path: string): string => fileURLToPath(new URL(`../../../../test/golden/${path}`, import.meta.url))

export const goldenBytes = (path: string): Uint8Array => new Uint8Array(readFileSync(goldenPath(path)))

export const goldenJson = (path: string) => JSON.parse(readFileSync(goldenPath(path), "utf8"))

export const goldenTensors = (path: string): ReadonlyMap<string, Tensor> => readSafetensors(goldenBytes(path)).tensors
