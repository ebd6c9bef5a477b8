// Models of the golden fixtures: two random encoders, exported by today's exporter, the older one, and for opset 14.
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type Graph, readModel } from "../../src/index.ts"

export const exports: readonly string[] = ["bert-tiny", "distilbert-tiny"].flatMap((model) =>
  ["dynamo", "script", "script-opset14"].map((file) => `${model}/${file}.onnx`),
)

export const readExport = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../../../../test/golden/${path}`, import.meta.url))))

export const readGraph = (path: string): Graph => readModel(readExport(path), { file: path })
