import type { Passage } from "@tandem/datasets"
import { answerFromPassages, makeLocalGenerator, type RagDecoding } from "@tandem/generator"
import {
  attemptToPrompt,
  decodingOf,
  ragRequestOf,
  renewalOf,
  renewedAnswers,
  renewedSources,
} from "@tandem/objectives"
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
      return answers.map((answer): JointAnswer => {
        const { sources, tokens } = renewedSources(answer, trained.temperature)
        return {
          answer: answer.text.trim(),
          confidence: confidenceOf(answer.logprob, tokens.length),
          sources: sources.map(({ passage, prior, weight }) => ({ ...shown(passage), prior, weight })),
          tokens,
        }
      })
    }
    const found = yield* renewal.search(questions, k)
    const requests = yield* attemptToPrompt(() =>
      questions.map((question, index) =>
        ragRequestOf(
          question,
          (found[index] ?? []).map(({ passage, score }) => ({ ...passage, score })),
          { prompts, temperature: trained.temperature },
        ),
      ),
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
