// The questions of golden/joint with what was found for them, and the models that they are asked of.
import { fileURLToPath } from "node:url"
import type { Encoder } from "@tandem/models"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { loadLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import type { JointModels } from "@tandem/objectives"
import type { Similarity } from "@tandem/onnx"
import type { Hit } from "@tandem/store"
import { Effect } from "effect"
import { goldenJson, goldenTensors } from "./Golden.ts"

export interface JointGolden {
  readonly similarity: Similarity
  readonly temperature: number
  readonly pooling: "mean" | "cls"
  readonly k: number
  readonly questions: readonly {
    readonly query: { readonly text: string; readonly ids: readonly number[] }
    readonly answer: readonly number[]
    readonly weight: number
    readonly alone: readonly number[]
    readonly passages: readonly {
      readonly text: string
      readonly ids: readonly number[]
      readonly vector: readonly number[]
      readonly prompt: readonly number[]
    }[]
  }[]
  readonly priors: readonly (readonly number[])[]
  readonly answers: readonly (readonly (readonly number[])[])[]
  readonly losses: Readonly<Record<string, number>>
  readonly gradients: Readonly<Record<string, Readonly<Record<string, readonly [number, number]>>>>
}

export interface JointFixture {
  readonly golden: JointGolden
  readonly models: JointModels
}

const generators = { llama: "decoders/llama", t5: "seq2seq/t5", bart: "seq2seq/bart" } as const
export type JointName = keyof typeof generators
export const jointNames: readonly JointName[] = ["llama", "t5", "bart"]

const folderOf = (path: string): string => fileURLToPath(new URL(`../golden/${path}`, import.meta.url))

/** Reads a fixture with its models. */
export const readJointFixture = async (name: JointName): Promise<JointFixture> => {
  const encoder = await Effect.runPromise(loadEncoder(folderOf("sentence-transformers-tiny")))
  const golden: JointGolden = goldenJson(`joint/${name}.json`)
  const query: Encoder = { ...encoder, pooling: { mode: golden.pooling, normalize: false } }
  return {
    golden,
    models: {
      towers: { kind: "untied", query, passage: { ...query, parameters: goldenTensors("joint/passage.safetensors") } },
      generator: await Effect.runPromise(loadLanguageModel(folderOf(generators[name]))),
    },
  }
}

/** What was found for the question of that number. */
export const goldenHits = ({ questions }: JointGolden, number: number): readonly Hit[] =>
  questions[number]!.passages.map(({ text, vector }) => ({
    passage: { id: text, text },
    score: 0,
    vector: Float32Array.from(vector),
  }))

/** The prompt of a question with a passage, or without one. */
export const goldenPrompt = (
  { questions }: JointGolden,
  query: string,
  [passage]: readonly { readonly text: string }[],
): readonly number[] => {
  const question = questions.find(({ query: { text } }) => text === query)!
  return question.passages.find(({ text }) => text === passage?.text)?.prompt ?? question.alone
}
