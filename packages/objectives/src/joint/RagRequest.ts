import { type Context, InvalidPrompt, logPriorOf, type Prompts, type RagRequest } from "@tandem/generator"
import { Effect } from "effect"

/** A passage as a question is answered from it. */
export interface ScoredContext extends Context {
  /** Its similarity to the question. */
  readonly score: number
}

/**
 * A question with each of its passages, whose prior is the softmax of their scores over τ; where nothing was found, without
 * any. Throws `InvalidPrompt` where a prompt does not fit.
 */
export const ragRequestOf = (
  question: string,
  passages: readonly ScoredContext[],
  { prompts, temperature }: { readonly prompts: Pick<Prompts, "prompt">; readonly temperature: number },
): RagRequest =>
  passages.length === 0
    ? { prompts: [prompts.prompt(question, [])], logPrior: [0] }
    : {
        prompts: passages.map((passage) => prompts.prompt(question, [passage])),
        logPrior: logPriorOf(
          passages.map(({ score }) => score),
          temperature,
        ),
      }

/** Tokens of all prompts of a request. */
export const promptTokensOf = ({ prompts }: RagRequest): number =>
  prompts.reduce((sum, prompt) => sum + (typeof prompt !== "string" && "ids" in prompt ? prompt.ids.length : 0), 0)

/** What is made of prompts; one that does not fit is a failure. */
export const attemptToPrompt = <A>(body: () => A): Effect.Effect<A, InvalidPrompt> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (cause) {
      return cause instanceof InvalidPrompt ? Effect.fail(cause) : Effect.die(cause)
    }
  })
