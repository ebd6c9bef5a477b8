import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { openModelFile } from "@tandem/models/node/OpenModelFile"
import {
  float32,
  type Graph,
  GraphBuilder,
  readModel,
  tensorLocations,
  writeModel,
  writeModelExternal,
} from "@tandem/onnx"
import { Effect } from "effect"
import { goldenBytes } from "../Golden.ts"
import { scratch } from "./Scratch.ts"
import type { Damage, Reading, Target } from "./Target.ts"
import { graphReading } from "./Text.ts"

/** The reading of a graph that holds together: written again and read again it is the same, what is not written aside. */
const checked = (graph: Graph): Reading => {
  const written = graphReading({ ...graph, values: new Map() })
  const again = graphReading(readModel(writeModel(graph)))
  for (const [part, text] of Object.entries(written)) {
    if (again[part] !== text) throw new Error(`${part} is another one when it is written and read again`)
  }
  return graphReading(graph)
}

/** A damage within the numbers of tensors, byte for byte in its place, shows in these tensors alone. */
const inNumbers = ({ at, end, inPlace }: Damage, whole: Uint8Array): readonly string[] | undefined => {
  if (!inPlace) return undefined
  const places = [...tensorLocations(whole)].flatMap(([name, { ranges }]) =>
    ranges.map((range) => ({ name, ...range })),
  )
  const touched = places.filter(({ start, end: behind }) => at < behind && end > start)
  return touched.some(({ start, end: behind }) => at >= start && end <= behind)
    ? touched.map(({ name }) => `tensor ${name}`)
    : undefined
}

const anotherField = "a protobuf has no checksum: another field is another model, if one that holds together"

const asModel =
  (whole: Uint8Array): Target["permits"] =>
  (damage) => {
    const tensors = inNumbers(damage, whole)
    if (tensors === undefined) return anotherField
    return damage.changed.every((part) => tensors.includes(part))
      ? "numbers of an ONNX file have no checksum: those of the damaged tensor are others, and nothing else is"
      : undefined
  }

const namesFile = (error: object, path: string): boolean => "file" in error && String(error.file).endsWith(path)

const inOneFile = (golden: string): Target => {
  const whole = goldenBytes(golden)
  const ends = [...tensorLocations(whole).values()].flatMap(({ ranges }) => ranges.map(({ end }) => end))
  return {
    name: `the model ${golden}`,
    files: new Map([["model.onnx", whole]]),
    head: () => [0, Math.min(...ends, whole.length)],
    read: async (files) => checked(readModel(files.get("model.onnx")!, { file: "model.onnx" })),
    names: namesFile,
    permits: asModel(whole),
  }
}

/** A model whose weights lie in a file beside it, read from the disk. */
const withData = (): Target => {
  const g = new GraphBuilder()
  const weight = (name: string, seed: number) =>
    g.initializer(
      name,
      float32(
        [16, 16],
        Float32Array.from({ length: 256 }, (_, at) => Math.sin(seed + at)),
      ),
    )
  const hidden = g.relu(g.matmul(g.input("x", "float32", ["batch", 16]), weight("first", 1)))
  const { model, files } = writeModelExternal(g.build({ y: g.matmul(hidden, weight("second", 2)) }), {
    location: "model.onnx_data",
  })
  const data = Buffer.concat([...files.values()].flat())
  const folder = scratch()
  return {
    name: "a model with a data file",
    files: new Map([
      ["model.onnx", model],
      ["model.onnx_data", new Uint8Array(data)],
    ]),
    read: async (damaged) => {
      for (const [path, bytes] of damaged) writeFileSync(join(folder, path), bytes)
      return checked((await Effect.runPromise(openModelFile(folder))).graph)
    },
    // A model whose place for the data is damaged leads to a file that is not there, or beyond the end of the one that is:
    // the error names that.
    names: (error, path) =>
      namesFile(error, path) ||
      namesFile(error, "model.onnx_data") ||
      ("file" in error && String(error.file).startsWith(folder)),
    permits: (damage) => {
      // Where a tensor lies in the data file is a field like any other.
      if (damage.path === "model.onnx") return anotherField
      const isWhole = damage.inPlace || damage.bytes.length >= data.length
      return isWhole && !damage.changed.includes("graph")
        ? "numbers of a data file have no checksum, and what lies behind the last tensor is nobody's"
        : undefined
    },
  }
}

export const onnxTargets = (): readonly Target[] => [
  inOneFile("exports/bert/contrib.onnx"),
  inOneFile("exports/llama/contrib-nbits.onnx"),
  withData(),
]
