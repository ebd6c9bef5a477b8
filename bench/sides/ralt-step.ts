// Steps on answers behind each of a question's passages, as `tandem ralt train` takes them: what the prompts of a question
// begin with is computed once, padding is packed away, and logits are computed where answers are predicted.
import type { LoraSettings } from "@tandem/autodiff"
import { loadLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import { answerLayout, generatorPart, generatorTensors, type RaltBatch, raltProgram } from "@tandem/objectives"
import { joinParts, type Tensor } from "@tandem/onnx"
import { adamW, makeTrainStep, residentState, type TrainStep, withAdapters } from "@tandem/trainers"
import { Effect } from "effect"
import { adapterValues } from "../support/AdapterValues.ts"
import { limits, type PassageQuestion, readBatches } from "../support/PassageQuestions.ts"
import { type SideRuntimeSettings, sideRuntime } from "../support/SideRuntime.ts"
import { answerWithSteps, trainingSteps } from "../support/TrainingSteps.ts"

interface Settings extends SideRuntimeSettings {
  readonly model: string
  /** A file of JSON lines, each a list of questions. */
  readonly batches: string
  readonly learningRate: number
  /** Steps of one round. */
  readonly steps: number
  readonly lora?: Pick<LoraSettings, "rank" | "alpha"> & { readonly targets: readonly string[] }
}
const settings: Settings = JSON.parse(process.argv[2] ?? "{}")
const { lora } = settings

const prepare = Effect.gen(function* () {
  const model = yield* loadLanguageModel(settings.model)
  const layOut = answerLayout(model, limits)
  const batchOf = (questions: readonly PassageQuestion[]): RaltBatch => {
    const tokens = questions.reduce((sum, { prompts, answer }) => sum + prompts.length * answer.length, 0)
    const answers = layOut(
      questions.map(({ prompts, answer }) => prompts.map((prompt) => ({ prompt, answer, weight: 1 / tokens }))),
    )
    return { key: answers.key, tensors: generatorTensors(answers), examples: questions.length, answers }
  }
  const read = readBatches(settings.batches)
  // Under the profiler two batches after the first tell enough, and no more are compiled for.
  const batches = (settings.profile === undefined ? read : read.slice(0, 3)).map(batchOf)
  const programOf = (batch: RaltBatch) =>
    Effect.map(raltProgram(model, batch, 0), (program) =>
      lora === undefined ? { program, adapters: [] } : withAdapters(program, lora),
    )
  const own = joinParts({ [generatorPart]: model.parameters })
  const added = adapterValues((yield* programOf(batches[0]!)).adapters)
  const trainable = lora === undefined ? [...own.keys()] : [...added.keys()]
  const parameters = new Map<string, Tensor>([...own, ...added])
  const state = yield* residentState(parameters, trainable, { optimizer: adamW(), handOver: true })
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
