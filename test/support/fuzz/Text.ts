import { createHash } from "node:crypto"
import { bytesOf, type Graph, type Tensor, type Value } from "@tandem/onnx"

const hash = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex")

/** A tensor as a text that is equal where type, shape and every bit are. */
export const tensorText = (value: Tensor): string =>
  `${value.type}[${value.dims}] ${value.type === "string" ? JSON.stringify(value.data) : hash(bytesOf(value))}`

/** Anything that parsers give as a text that is equal where it is. */
export const textOf = (value: unknown): string =>
  hash(
    JSON.stringify(value, (_, inner: unknown): unknown => {
      if (ArrayBuffer.isView(inner)) return hash(new Uint8Array(inner.buffer, inner.byteOffset, inner.byteLength))
      if (inner instanceof Map) return [...inner]
      if (typeof inner === "bigint" || (typeof inner === "number" && !Number.isFinite(inner))) return `${inner}`
      return inner
    }) ?? "nothing",
  )

/**
 * A graph, with its tensors one by one, so that it shows which of them is another. A value whose element type is not known
 * counts as one whose shape is not: a file cannot say the one without the other.
 */
export const graphReading = ({ initializers, ...graph }: Graph): Readonly<Record<string, string>> => ({
  ...tensorReading(initializers),
  graph: textOf({
    ...graph,
    inputs: graph.inputs.map(known),
    outputs: graph.outputs.map(known),
    values: [...graph.values.values()].map(known),
    initializers: [...initializers].map(([name, { type, dims }]) => [name, type, dims]),
  }),
})

const known = ({ name, type, dims }: Value): unknown => (type === undefined ? { name } : { name, type, dims })

export const tensorReading = (tensors: ReadonlyMap<string, Tensor>): Readonly<Record<string, string>> =>
  Object.fromEntries([...tensors].map(([name, value]) => [`tensor ${name}`, tensorText(value)]))
