import type { Passage } from "@tandem/datasets"
import {
  answerFromPassages,
  InvalidPrompt,
  logPriorOf,
  makeLocalGenerator,
  type Prompts,
  type RagDecoding,
} from "@tandem/generator"
import { decodingOf, type FoundHit, type RenewedAnswer, renewalOf, renewedAnswers } from "@tandem/objectives"
import { openGenerator } from "@tandem/objectives/node/OpenGenerator"
import { openSearched, type SearchedRun } from "@tandem/objectives/node/OpenSearch"
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
  const { towers, retrieval, store } = yield* openSearched(searched, options)
  const { model, prompts } = yield* openGenerator({ generator: searched.run }, { seed: 0, texts: () => [] })
  const generator = yield* makeLocalGenerator({ model })
  const renewed = typeof trained.renewEvery === "number" ? trained.renewEvery : undefined
  const renewal = yield* renewalOf(
    { model, query: towers.query, store },
    { retrieval, prompts, k: trained.kEval },
    renewed ?? prompts.settings.maxAnswer,
  )
  return Effect.fnUntraced(function* (questions: readonly string[], asked: AskOptions = {}) {
    const { k = trained.kEval, decoding = decodingOf(trained.loss) } = asked
    if (renewed !== undefined && decoding.kind === "token") {
      const beams = decoding.beams === undefined ? {} : { beams: decoding.beams }
      const answers = yield* renewedAnswers({ model, generator, ...beams }, questions, { ...renewal, k })
      return answers.map((answer) => ofRetrievals(answer, trained.temperature))
    }
    const found = yield* renewal.search(questions, k)
    const requests = yield* Effect.forEach(questions, (question, index) =>
      requestOf(question, found[index] ?? [], prompts, trained.temperature),
    )
    const answers = yield* answerFromPassages(generator, requests, { decoding, maxTokens: prompts.settings.maxAnswer })
    return answers.map(({ text, logprob, posterior, tokens }, index): JointAnswer => {
      const { logPrior } = requests[index]!
      return {
        answer: text.trim(),
        confidence: confidenceOf(logprob, tokens.length),
        sources: (found[index] ?? []).map(({ passage }, place) => ({
          ...shown(passage),
          prior: Math.exp(logPrior[place]!),
          weight: posterior[place]!,
        })),
        tokens,
      }
    })
  })
})

const confidenceOf = (logprob: number, tokens: number) => ({ logprob, perToken: logprob / Math.max(1, tokens) })

const shown = ({ id, title, text }: Passage) => ({ id, ...(title === undefined ? {} : { title }), text })

/**
 * An answer whose passages were searched again and again: all of them, in the order in which they were found, with what each
 * contributed to the tokens that were written from it. `prior` is that of the retrieval that found it first.
 */
const ofRetrievals = ({ text, logprob, retrievals }: RenewedAnswer, temperature: number): JointAnswer => {
  const sources = new Map<string, { readonly passage: Passage; readonly prior: number }>()
  for (const { passages } of retrievals) {
    const prior = logPriorOf(
      passages.map(({ score }) => score),
      temperature,
    )
    for (const [place, { passage }] of passages.entries())
      if (!sources.has(passage.id)) sources.set(passage.id, { passage, prior: Math.exp(prior[place]!) })
  }
  const order = [...sources.keys()]
  const tokens = retrievals.flatMap(({ passages, tokens: written }) =>
    written.map((token) => {
      const weights = order.map((id) => {
        const place = passages.findIndex(({ passage }) => passage.id === id)
        return place < 0 ? 0 : token.weights[place]!
      })
      return { ...token, weights }
    }),
  )
  const weightOf = (place: number): number =>
    tokens.reduce((sum, { weights }) => sum + weights[place]!, 0) / Math.max(1, tokens.length)
  return {
    answer: text.trim(),
    confidence: confidenceOf(logprob, tokens.length),
    sources: [...sources.values()].map(({ passage, prior }, place) => ({
      ...shown(passage),
      prior,
      weight: weightOf(place),
    })),
    tokens,
  }
}

const requestOf = (
  question: string,
  found: readonly FoundHit[],
  prompts: Prompts,
  temperature: number,
): Effect.Effect<Parameters<typeof answerFromPassages>[1][number], InvalidPrompt> =>
  Effect.try({
    try: () =>
      found.length === 0
        ? { prompts: [prompts.prompt(question, [])], logPrior: [0] }
        : {
            prompts: found.map(({ passage }) => prompts.prompt(question, [passage])),
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
