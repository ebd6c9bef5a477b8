// Greedy answers to all prompts at once, the end of sequence a token like any other.
import { makeLocalGenerator } from "@tandem/generator"
import { loadLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import type { Runtime } from "@tandem/runtime"
import { Effect, type Scope } from "effect"
import { answer } from "../support/Answer.ts"
import { readPrompts } from "../support/PassageQuestions.ts"
import { type SideRuntimeSettings, sideRuntime } from "../support/SideRuntime.ts"

interface Settings extends SideRuntimeSettings {
  readonly model: string
  /** A file of JSON lines, each a prompt's token ids. */
  readonly prompts: string
  readonly newTokens: number
}
const settings: Settings = JSON.parse(process.argv[2] ?? "{}")

const main = Effect.gen(function* () {
  const prompts = readPrompts(settings.prompts)
  const model = yield* loadLanguageModel(settings.model)
  const generator = yield* makeLocalGenerator({ model: { ...model, endTokenIds: [] }, batchSize: prompts.length })
  const context = yield* Effect.context<Runtime | Scope.Scope>()
  const write = generator.generate(
    prompts.map((ids) => ({ ids })),
    { maxTokens: settings.newTokens },
  )
  const round = async () => {
    const started = performance.now()
    const made = await Effect.runPromise(Effect.provide(write, context))
    const seconds = (performance.now() - started) / 1000 / settings.newTokens
    return { seconds, values: made.flatMap(([text]) => [...(text?.ids ?? [])]) }
  }
  yield* Effect.promise(async () => {
    await round()
    await answer(round)
  })
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(sideRuntime(settings))))
