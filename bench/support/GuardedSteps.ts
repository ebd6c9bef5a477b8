// The fixed shapes whose steps are guarded (test/guards.json).

import type { LoraSettings } from "@tandem/autodiff"
import { makeWorld, type Passage, type RetrievalData, RetrievalDataBuilder } from "@tandem/datasets"
import {
  bertConfig,
  bertParameters,
  type DecoderShape,
  decoderConfig,
  decoderGraph,
  decoderParameters,
  makeTokenizer,
  type Pooling,
  trainWordPiece,
  weightsEncoder,
} from "@tandem/models"
import { type DprShape, dprBatches, dprProgram } from "@tandem/objectives"
import { elementCount, tensor, zeros } from "@tandem/onnx"
import { sharedTower, type Towers, towerParameters } from "@tandem/retriever"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { causalLmProgram } from "./CausalLmProgram.ts"
import { shapes } from "./RandomModel.ts"
import { stepCounts } from "./StepCounts.ts"

/** Figures by name; a smaller one is better. */
export type GuardedFigures = Readonly<Record<string, number>>

const maxLength = { query: 256, passage: 256 }
const retrieval = { similarity: "cosine", temperature: 0.05, maxLength, titles: "none" } as const

/** All guarded figures by the names of their shapes. */
export const guardedSteps = (): Promise<Readonly<Record<string, GuardedFigures>>> =>
  Effect.runPromise(Effect.scoped(allSteps).pipe(Effect.provide(layer({ threads: 1 }))))

const allSteps = Effect.gen(function* () {
  const data = worldData()
  const towers = sharedTower(miniLm(data, "mean"))
  const ofFirstTokens = sharedTower(miniLm(data, "cls"))
  const parameters = new Map([...towerParameters(towers)].map(([name, { dims }]) => [name, dims] as const))
  const dualEncoder = Effect.fnUntraced(function* (shape: DprShape, pooled: Towers = towers, dropout = 0) {
    const program = yield* dprProgram(pooled, shape, { ...retrieval, symmetric: false, dropout })
    return yield* figuresOf(program, parameters, [...parameters.keys()])
  })
  const batches = dprBatches(towers, { data, retrieval, seed: 0, batchSize: 16, hardNegatives: 0, smallestBatch: 1 })
  const epoch = Array.from({ length: batches.perEpoch }, (_, index) => batches.at(index))
  const texts = { batch: 16, tokens: 128, full: true }
  const dense = { queries: 16, passages: 16, encoders: { query: texts, passage: texts } }
  return {
    "MiniLM-L6 dual encoder, dense 16 x 128": yield* dualEncoder(dense),
    "MiniLM-L6 dual encoder, packed, in groups": yield* dualEncoder(epoch[0]!.shape),
    "MiniLM-L6 dual encoder, packed, in groups, dropout": yield* dualEncoder(epoch[0]!.shape, towers, 0.1),
    "MiniLM-L6 dual encoder, dense 16 x 128, first tokens": yield* dualEncoder(dense, ofFirstTokens),
    "MiniLM-L6 dual encoder, packed, in groups, first tokens": yield* dualEncoder(epoch[0]!.shape, ofFirstTokens),
    "MiniLM-L6 dual encoder, an epoch": { sessions: new Set(epoch.map(({ key }) => key)).size },
    "SmolLM decoder of 2 layers, packed, logits of answers": yield* decoder(packed),
    "SmolLM decoder of 2 layers, packed, logits of answers, LoRA": yield* decoder(packed, lora),
    "SmolLM decoder of 2 layers, 4 prompts of each question": yield* decoder(prompts),
    "SmolLM decoder of 2 layers, 4 prompts of each question, their prefix once": yield* decoder(sharedPrompts),
    "SmolLM decoder of 2 layers, 4 prompts of each question, their prefix once, LoRA": yield* decoder(
      sharedPrompts,
      lora,
    ),
  }
})

const figuresOf = (...step: Parameters<typeof stepCounts>) =>
  Effect.map(stepCounts(...step), (counts): GuardedFigures => ({ ...counts }))

/** Up to this many facts about a thing make one passage: lengths differ as those of real passages do. */
const mostFacts = 8

/** The invented world's questions on passages of 1 to 8 of its facts. */
const worldData = (): RetrievalData => {
  const world = makeWorld({ seed: 1, entities: 16, heldOut: 4, paraphrases: 2 })
  const builder = new RetrievalDataBuilder()
  const ownFirst = (passage: Passage): readonly Passage[] => [
    passage,
    ...world.passages.filter(
      ({ id, metadata }) => id !== passage.id && metadata?.["document"] === passage.metadata?.["document"],
    ),
  ]
  for (const [index, passage] of world.passages.entries()) {
    const facts = ownFirst(passage).slice(0, 1 + (index % mostFacts))
    const text = facts.map((fact) => fact.text).join(" ")
    builder.addPassage({ passage: { ...passage, text }, file: "world", line: index + 1 })
  }
  for (const [index, example] of world.train.entries())
    builder.addExample({ example, passages: [], file: "world", line: index + 1 })
  return builder.finish()
}

/** An encoder of MiniLM-L6's sizes without its values, whose tokenizer knows the data's words. */
const miniLm = ({ corpus, examples }: RetrievalData, mode: Pooling["mode"]) => {
  const texts = [...[...corpus.values()].map(({ text }) => text), ...examples.map(({ query }) => query)]
  const huggingFace = shapes["MiniLM-L6"]
  const config = bertConfig(huggingFace)
  const parameters = bertParameters(config).map(
    ({ name, dims }) => [name, tensor("float32", dims, zeros("float32", elementCount(dims)))] as const,
  )
  return weightsEncoder({
    config,
    parameters: new Map(parameters),
    tokenizer: makeTokenizer(trainWordPiece(texts, { vocabularySize: 1000 })),
    pooling: { mode, normalize: true },
    huggingFace,
  })
}

const lora: LoraSettings = {
  rank: 16,
  alpha: 32,
  targets: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}

type LogitShape = DecoderShape & { readonly logitRows: number }

const packed: LogitShape = { batch: 4, tokens: 384, packedRows: 768, logitRows: 32 }
/** Two questions with 4 passages each: prompts of 384 tokens, which begin with 256 of their question. */
const prompts: LogitShape = { batch: 8, tokens: 384, logitRows: 64 }
const sharedPrompts: LogitShape = { ...prompts, tokens: 128, prefix: { rows: 2, tokens: 256 } }

const decoder = (shape: LogitShape, adapted?: LoraSettings) => {
  const config = decoderConfig({ ...shapes["SmolLM-135M"], num_hidden_layers: 2 })
  const { graph } = decoderGraph(config, shape)
  const { program, adapters } = causalLmProgram(graph, shape.logitRows, adapted)
  const weights = decoderParameters(config).map(({ name, dims }) => [name, dims] as const)
  const added = adapters.flatMap(({ a, b, rank, inputs, outputs }) => [
    [a, [rank, inputs]] as const,
    [b, [outputs, rank]] as const,
  ])
  return figuresOf(
    program,
    new Map([...weights, ...added]),
    (adapted === undefined ? weights : added).map(([name]) => name),
  )
}
