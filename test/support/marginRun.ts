// Trains the toy objective in a run folder. Usage: node marginRun.ts OUT [--resume]
import { join } from "node:path"
import { type Example, makeWorld, type Passage } from "@tandem/datasets"
import { tinyEncoder, trainWordPiece } from "@tandem/models"
import { saveEncoder } from "@tandem/models/node/SaveEncoder"
import { takePart } from "@tandem/onnx"
import { fnv1aOfCodePoints, splitMix32, uniforms } from "@tandem/random"
import { TrainSettings } from "@tandem/runs"
import { trainRun } from "@tandem/runs/node/TrainRun"
import { Effect, Schema } from "effect"
import { marginObjective } from "./marginObjective.ts"

/** Questions, and passages with the vectors, `[passages, width]`, that somebody else's model gave them. */
export interface IndexedWorld {
  readonly train: readonly Example[]
  readonly passages: readonly Passage[]
  readonly vectors: Float32Array
}

const { train, passages } = makeWorld({ seed: 1, entities: 8, heldOut: 2, paraphrases: 3 })
const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(/\p{L}+/gu) ?? []
const width = 32

/** Vectors that no encoder here made: the sum of random vectors of a passage's words, rare ones counting more. */
const wordVectors = (texts: readonly string[]): Float32Array => {
  const counts = new Map<string, number>()
  for (const word of texts.flatMap(wordsOf)) counts.set(word, (counts.get(word) ?? 0) + 1)
  const vectorOf = (word: string) => {
    const draw = uniforms(splitMix32(fnv1aOfCodePoints(word)))
    return Array.from({ length: width }, () => (draw() - 0.5) / counts.get(word)!)
  }
  return Float32Array.from(
    texts.flatMap((text) =>
      wordsOf(text)
        .map(vectorOf)
        .reduce((sum, vector) => sum.map((value, at) => value + vector[at]!)),
    ),
  )
}

export const world: IndexedWorld = { train, passages, vectors: wordVectors(passages.map(({ text }) => text)) }
const texts = [...passages.map(({ text }) => text), ...train.map(({ query }) => query)]
export const encoder = tinyEncoder({
  seed: 0,
  vocabulary: trainWordPiece(texts, { vocabularySize: 400 }),
  hidden: width,
  layers: 1,
  heads: 2,
  intermediate: 64,
  maxLength: 24,
})

/** A whole run; `prepare` reads nothing here, and `plan` encodes the passages that the objective searches. */
export const marginRun = (out: string, resume: boolean) =>
  trainRun({
    command: "margin train",
    settings: Schema.decodeUnknownSync(TrainSettings)({
      out,
      resume,
      maxSteps: 40,
      lr: 3e-3,
      saveEvery: 4,
      threads: 1,
    }),
    options: { observe: () => Effect.void },
    prepare: Effect.void,
    plan: () =>
      Effect.map(marginObjective(encoder, world), (objective) => ({
        objective,
        inputs: { files: [], models: Effect.succeed({}), resolved: "toy" },
        facts: {},
        versions: {},
        statistics: {},
        warnings: [],
        save: (trained) => saveEncoder(join(out, "retriever"), encoder, takePart(trained, "query")),
      })),
  })

if (import.meta.main) await Effect.runPromise(marginRun(process.argv[2] ?? "", process.argv.includes("--resume")))
