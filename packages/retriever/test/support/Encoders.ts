import { bertConfig, bertParameters, type Encoder, type Pooling, tinyEncoder, trainWordPiece } from "@tandem/models"
import { float32, toNumbers } from "@tandem/onnx"

export const corpus = [
  "the river was long and cold",
  "a mountain stands beside the river",
  "the old mill grinds corn for the village",
  "ships sail from the harbour to the island",
  "snow falls on the mountain in winter",
  "the village sells corn at the harbour",
]

export const vocabulary = trainWordPiece(corpus, { vocabularySize: 120 })

/** A small encoder whose weights are large enough that different texts get clearly different embeddings. */
export const smallEncoder = (seed: number, pooling: Pooling = { mode: "mean", normalize: false }): Encoder => {
  const encoder = tinyEncoder({
    seed,
    vocabulary,
    hidden: 16,
    layers: 2,
    heads: 2,
    intermediate: 32,
    maxLength: 128,
    pooling,
  })
  const roles = new Map(bertParameters(bertConfig(encoder.source.huggingFace)).map(({ name, role }) => [name, role]))
  const parameters = new Map(
    [...encoder.parameters].map(([name, value]) => {
      const scale = roles.get(name) === "scale" || roles.get(name) === "bias" ? 1 : 15
      return [
        name,
        float32(
          value.dims,
          toNumbers(value).map((x) => x * scale),
        ),
      ] as const
    }),
  )
  return { ...encoder, parameters }
}

/** Texts of 1 to `longest` words, the same for the same count. */
export const texts = (count: number, longest = 60): string[] => {
  const words = corpus.join(" ").split(" ")
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: 1 + ((i * 37) % longest) }, (_, j) => words[(i * 7 + j * 5) % words.length]).join(" "),
  )
}

export const row = (vectors: Float32Array, index: number, dimension: number): Float32Array =>
  vectors.subarray(index * dimension, (index + 1) * dimension)

export const largestDifference = (a: Float32Array, b: Float32Array): number => {
  if (a.length !== b.length || a.length === 0) throw new Error(`lengths ${a.length} and ${b.length}`)
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
}
