import type { GeneratorShape } from "@tandem/generator"
import { Effect, Semaphore } from "effect"
import type { DatagenSettings } from "../DatagenSettings.ts"
import { type Budget, makeBudget } from "../model/Budget.ts"
import { type Model, makeModel } from "../model/Model.ts"
import type { ModelRole, ResultsShape } from "../model/Results.ts"
import type { ConversationOptions } from "../stages/GenerateConversation.ts"
import { loadPrompts } from "./PromptFolder.ts"

/** The two models of a pipeline, which may be one. */
export interface PipelineModels {
  readonly small: GeneratorShape
  readonly large: GeneratorShape
}

/** All that the stages of a pipeline need. */
export interface Pipeline {
  readonly settings: DatagenSettings
  readonly models: Readonly<Record<ModelRole, Model>>
  readonly budget: Budget
  readonly options: ConversationOptions & { readonly prompts: Effect.Success<ReturnType<typeof loadPrompts>> }
  /** Items under way at once: more than calls, so that one that takes long keeps none waiting behind it. */
  readonly window: number
}

/** The database of a pipeline's replies, below its output folder. */
export const resultsFile = "results.sqlite"

/** Makes a pipeline of its models and of the replies that are kept. */
export const makePipeline = Effect.fnUntraced(function* (
  settings: DatagenSettings,
  generators: PipelineModels,
  results: ResultsShape,
) {
  const { path, system, api, cost } = settings
  const prompts = yield* loadPrompts({ ...path, language: system.language })
  const paid = yield* results.paid
  const turns = Semaphore.makeUnsafe(system.concurrency_limit)
  const prices = {
    small: { input: cost.small_input, output: cost.small_output },
    large: { input: cost.large_input, output: cost.large_output },
  }
  const paidFor = (role: ModelRole) =>
    (paid[role].inputTokens * prices[role].input + paid[role].outputTokens * prices[role].output) / 1e6
  const budget = makeBudget(cost.budget, paidFor("small") + paidFor("large"))
  const model = (role: ModelRole): Model =>
    makeModel(
      {
        role,
        generator: generators[role],
        maxTokens: api[`${role}_max_tokens`],
        temperature: api.temperature,
        structured: api[`${role}_base_url`] === undefined ? "text" : api.structured_output,
        prices: prices[role],
        limits: {
          requestsPerMinute: api[`${role}_requests_per_minute`],
          tokensPerMinute: api[`${role}_tokens_per_minute`],
        },
        giveUpAfter: api.give_up_after,
        retryDelay: api.retry_delay,
      },
      { results, budget, turns },
    )
  return {
    settings,
    models: { small: model("small"), large: model("large") },
    budget,
    options: {
      prompts,
      seed: system.seed,
      corrections: api.corrections,
      failureBehavior: system.failure_behavior,
      thoughts: system.write_thoughts,
    },
    window: 4 * system.concurrency_limit,
  } satisfies Pipeline
})
