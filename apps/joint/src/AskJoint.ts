import {
  answerFromPassages,
  InvalidPrompt,
  logPriorOf,
  makeLocalGenerator,
  type Prompts,
  type RagDecoding,
} from "@tandem/generator"
import { decodingOf } from "@tandem/objectives"
import { openGenerator } from "@tandem/objectives/node/OpenGenerator"
import { type FoundPassage, openSearch, type SearchedRun } from "@tandem/objectives/node/OpenSearch"
import type { RunOptions } from "@tandem/runs"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { trainedAs } from "./TrainedAs.ts"

/** How answers are found; what is absent is as the run was trained. */
export interface AskOptions {
  /** Passages that are read for a question. */
  readonly k?: number
  readonly decoding?: RagDecoding
}

/** An answer, with where it came from. */
export interface JointAnswer {
  readonly answer: string
  /** log p(answer | question), nats, the passages summed out, and its mean a token. */
  readonly confidence: { readonly logprob: number; readonly perToken: number }
  /** The passages that were read, best first; `prior` before the answer is known, `weight` what they explain of it. */
  readonly sources: readonly {
    readonly id: string
    readonly title?: string
    readonly text: string
    readonly prior: number
    readonly weight: number
  }[]
  /** The answer's tokens, and for each what every source contributes. */
  readonly tokens: readonly { readonly text: string; readonly logprob: number; readonly weights: readonly number[] }[]
}

/**
 * Opens a finished joint run, with its own index or another one that its passage encoder made, and answers questions as long
 * as the scope lives. So new knowledge needs a new index and no training.
 */
export const openAsk = Effect.fn("joint.openAsk")(function* (
  searched: SearchedRun,
  options: Pick<RunOptions, "observe">,
) {
  const trained = yield* trainedAs(searched.run)
  const search = yield* openSearch(searched, options)
  const { model, prompts } = yield* openGenerator({ generator: searched.run }, { seed: 0, texts: () => [] })
  const generator = yield* makeLocalGenerator({ model })
  return Effect.fnUntraced(function* (
    questions: readonly string[],
    { k = trained.kEval, decoding = decodingOf(trained.loss) }: AskOptions = {},
  ) {
    const found = yield* search(questions, k)
    const requests = yield* Effect.forEach(questions, (question, index) =>
      requestOf(question, found[index] ?? [], prompts, trained.temperature),
    )
    const answers = yield* answerFromPassages(generator, requests, {
      decoding,
      maxTokens: prompts.settings.maxAnswer,
    })
    return answers.map(({ text, logprob, posterior, tokens }, index): JointAnswer => {
      const { logPrior } = requests[index]!
      return {
        answer: text.trim(),
        confidence: { logprob, perToken: logprob / Math.max(1, tokens.length) },
        sources: (found[index] ?? []).map(({ score: _, ...passage }, place) => ({
          ...passage,
          prior: Math.exp(logPrior[place]!),
          weight: posterior[place]!,
        })),
        tokens,
      }
    })
  })
})

const requestOf = (
  question: string,
  found: readonly FoundPassage[],
  prompts: Prompts,
  temperature: number,
): Effect.Effect<Parameters<typeof answerFromPassages>[1][number], InvalidPrompt> =>
  Effect.try({
    try: () =>
      found.length === 0
        ? { prompts: [prompts.prompt(question, [])], logPrior: [0] }
        : {
            prompts: found.map((passage) => prompts.prompt(question, [passage])),
            logPrior: logPriorOf(
              found.map(({ score }) => score),
              temperature,
            ),
          },
    catch: (cause) => cause,
  }).pipe(Effect.catch((cause) => (cause instanceof InvalidPrompt ? Effect.fail(cause) : Effect.die(cause))))

/** What `askJoint` is told. */
export interface AskJointSettings extends SearchedRun, AskOptions {
  readonly questions: readonly string[]
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/** Asks a finished joint run once: see {@link openAsk}. */
export const askJoint = Effect.fn("joint.ask")((settings: AskJointSettings, options: Pick<RunOptions, "observe">) => {
  const { device, threads, questions } = settings
  return Effect.flatMap(openAsk(settings, options), (ask) => ask(questions, settings)).pipe(
    Effect.scoped,
    Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })),
  )
})
