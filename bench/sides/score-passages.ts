// Likelihoods of answers under each of several passages, as LSR, joint training and evaluations ask for them.
import { makeLocalGenerator } from "@tandem/generator"
import { loadLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import { Effect } from "effect"
import { answer } from "../support/Answer.ts"
import { readQuestions } from "../support/PassageQuestions.ts"
import { type SideRuntimeSettings, sideRuntime } from "../support/SideRuntime.ts"

interface Settings extends SideRuntimeSettings {
  readonly model: string
  /** A file of JSON lines, each a question. */
  readonly questions: string
}
const settings: Settings = JSON.parse(process.argv[2] ?? "{}")

const main = Effect.gen(function* () {
  const generator = yield* makeLocalGenerator({ model: yield* loadLanguageModel(settings.model) })
  const score = generator.score(
    readQuestions(settings.questions).map(({ prompts, answer: ids }) => ({
      prompts: prompts.map((prompt) => ({ ids: prompt })),
      answer: { ids },
    })),
  )
  const round = async () => {
    const started = performance.now()
    const scores = await Effect.runPromise(score)
    return { seconds: (performance.now() - started) / 1000, values: scores.flat().map(({ logprob }) => logprob) }
  }
  yield* Effect.promise(async () => {
    await round()
    await answer(round)
  })
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(sideRuntime(settings))))
