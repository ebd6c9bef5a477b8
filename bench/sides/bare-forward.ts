// The bare forward pass that scoring is measured by: one graph of exactly the shape of all real tokens, its weights
// constants, prompts and answers laid out before. Likelihoods are read off the logits outside of the time.
import { InvalidLanguageModel } from "@tandem/models"
import { loadLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import { answerLayout } from "@tandem/objectives"
import { toNumbers } from "@tandem/onnx"
import { placeWeights, Runtime } from "@tandem/runtime"
import { Effect } from "effect"
import { answer } from "../support/Answer.ts"
import { limits, readQuestions } from "../support/PassageQuestions.ts"
import { type SideRuntimeSettings, sideRuntime } from "../support/SideRuntime.ts"

interface Settings extends SideRuntimeSettings {
  readonly model: string
  readonly questions: string
}
const settings: Settings = JSON.parse(process.argv[2] ?? "{}")

const main = Effect.gen(function* () {
  const model = yield* loadLanguageModel(settings.model)
  const questions = readQuestions(settings.questions)
  const { tensors, graph: graphWith } = answerLayout(
    model,
    limits,
  )(questions.map(({ prompts, answer: ids }) => prompts.map((prompt) => ({ prompt, answer: ids, weight: 1 }))))
  const { graph } = yield* graphWith(0)
  const weights = graph.inputs.filter(({ name }) => model.parameters.has(name))
  const { into, feeds } = yield* placeWeights(
    weights,
    Object.fromEntries(model.parameters),
    ({ name }) => new InvalidLanguageModel({ message: `the weight ${name} does not fit`, tensor: name }),
  )
  const data = Object.fromEntries(graph.inputs.flatMap(({ name }) => (tensors[name] ? [[name, tensors[name]]] : [])))
  const { run } = yield* (yield* Runtime).compile(into(graph))
  const targets = toNumbers(tensors["targets"]!)
  const counted = toNumbers(tensors["weights"]!)
  const forward = run({ ...feeds, ...data })
  const round = async () => {
    const started = performance.now()
    const { logits } = await Effect.runPromise(forward)
    const seconds = (performance.now() - started) / 1000
    const values = toNumbers(logits!)
    const size = values.length / targets.length
    const chosen = targets.flatMap((target, row) => {
      if (counted[row] === 0) return []
      const own = values.slice(row * size, (row + 1) * size)
      const largest = own.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
      const sum = own.reduce((all, value) => all + Math.exp(value - largest), 0)
      return [own[target]! - largest - Math.log(sum)]
    })
    let at = 0
    const each = questions.flatMap(({ prompts, answer: ids }) =>
      prompts.map(() => {
        const start = at
        at += ids.length
        return chosen.slice(start, at).reduce((all, value) => all + value, 0)
      }),
    )
    return { seconds, values: each }
  }
  yield* Effect.promise(async () => {
    await round()
    await answer(round)
  })
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(sideRuntime(settings))))
