// Joint steps as `tandem joint train` takes them, from what was found to the update: the query encoded with gradient, what the
// prompts of a question begin with computed once, and logits where answers are predicted.
import type { LoraSettings } from "@tandem/autodiff"
import type { Encoder } from "@tandem/models"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { loadLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import {
  type JointBatch,
  type JointLoss,
  type JointModels,
  type JointQuestion,
  jointBatches,
  jointProgram,
} from "@tandem/objectives"
import { joinParts, type Tensor } from "@tandem/onnx"
import { adamW, makeTrainStep, residentState, type TrainStep, withAdapters } from "@tandem/trainers"
import { Effect } from "effect"
import { adapterValues } from "../support/AdapterValues.ts"
import type { JointRow } from "../support/JointRow.ts"
import { limits } from "../support/PassageQuestions.ts"
import { readJointBatches } from "../support/QueryRows.ts"
import { type SideRuntimeSettings, sideRuntime } from "../support/SideRuntime.ts"
import { answerWithSteps, trainingSteps } from "../support/TrainingSteps.ts"

interface Settings extends SideRuntimeSettings {
  readonly model: string
  readonly encoder: string
  /** A file of JSON lines, each a list of questions. */
  readonly batches: string
  readonly loss: JointLoss
  readonly temperature: number
  readonly learningRate: number
  /** Steps of one round. */
  readonly steps: number
  /** The reader's adapters; all of its weights train where absent. */
  readonly lora?: Pick<LoraSettings, "rank" | "alpha"> & { readonly targets: readonly string[] }
}
const settings: Settings = JSON.parse(process.argv[2] ?? "{}")
const { lora, loss, temperature } = settings

const read = readJointBatches(settings.batches)

/** Rows bring token ids: their numbers stand in place of texts. */
const batchOf = (models: JointModels, rows: readonly JointRow[]): JointBatch => {
  const questions = rows.map((_, index): JointQuestion => ({ id: `${index}`, query: `${index}`, answer: `${index}` }))
  const { complete } = jointBatches(models, {
    questions,
    prompts: {
      prompt: (query, [passage]) => ({
        ids: rows[Number(query)]!.prompts[Number(passage?.text)]!,
        cut: 0,
        contexts: 1,
      }),
      answer: (text) => ({ ids: rows[Number(text)]!.answer }),
      settings: { template: { kind: "text", text: "" }, ...limits },
    },
    retrieval: { similarity: "cosine", temperature, maxLength: { query: 128, passage: 128 }, titles: undefined },
    ...{ seed: 0, batchSize: rows.length, k: rows[0]!.prompts.length, passTokens: 2 ** 20, passages: "frozen" },
  })
  const [one] = complete(
    rows.map(({ query, answer }, index) => ({
      question: questions[index]!,
      encoded: { ids: query, mask: query.map(() => 1), types: query.map(() => 0), cut: 0 },
      answer: { ids: answer },
    })),
    rows.map(({ vectors }) =>
      vectors.map((vector, index) => ({
        passage: { id: `${index}`, text: `${index}` },
        score: 0,
        vector: Float32Array.from(vector),
      })),
    ),
  )
  return one
}

const prepare = Effect.gen(function* () {
  const query: Encoder = yield* loadEncoder(settings.encoder)
  const models: JointModels = {
    towers: { kind: "untied", query, passage: query },
    generator: yield* loadLanguageModel(settings.model),
  }
  // Under the profiler two batches after the first tell enough, and no more are compiled for.
  const batches = (settings.profile === undefined ? read : read.slice(0, 3)).map((rows) => batchOf(models, rows))
  const programOf = (batch: JointBatch) =>
    Effect.map(
      jointProgram(models, batch, {
        retrieval: { similarity: "cosine", temperature },
        loss,
        labelSmoothing: 0,
        dropout: 0,
      }),
      (program) =>
        lora === undefined
          ? { program, adapters: [] }
          : withAdapters(program, { ...lora, exclude: "query/.*|.*lm_head" }),
    )
  const own = joinParts({ query: query.parameters, generator: models.generator.parameters })
  const { program, adapters } = yield* programOf(batches[0]!)
  const added = adapterValues(adapters)
  const trainable = [
    ...[...own.keys()].filter((name) => lora === undefined || name.startsWith("query/")),
    ...added.keys(),
  ]
  const parameters = new Map<string, Tensor>([...own, ...added])
  const reached = new Set(program.graph.inputs.map(({ name }) => name))
  const state = yield* residentState(
    parameters,
    trainable.filter((name) => reached.has(name)),
    { optimizer: adamW(), handOver: true },
  )
  const compiled = new Map<string, TrainStep>()
  const started = performance.now()
  // Shapes come again and again in a long run; only here each would be met for the first time.
  for (const batch of batches) {
    if (compiled.has(batch.key)) continue
    compiled.set(batch.key, yield* makeTrainStep((yield* programOf(batch)).program, state))
  }
  const seconds = (performance.now() - started) / 1000
  return { batches, state, compiled, seconds }
})

const main = Effect.gen(function* () {
  const { batches, state, compiled, seconds } = yield* prepare
  const step = trainingSteps(state, settings.learningRate, (done) => {
    const batch = batches[done % batches.length]!
    return { compiled: compiled.get(batch.key)!, batch }
  })
  yield* answerWithSteps(step, settings.steps, { notes: { sessions: compiled.size, "seconds to compile": seconds } })
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(sideRuntime(settings))))
