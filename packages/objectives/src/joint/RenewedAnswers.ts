import type { Passage } from "@tandem/datasets"
import {
  answerFromPassages,
  type Context,
  type GeneratorError,
  InvalidGeneration,
  logPriorOf,
  marginalScore,
  type Prompts,
  type RagAnswer,
  type RagGenerator,
} from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import { Effect } from "effect"
import { attemptToPrompt, promptTokensOf, ragRequestOf } from "./RagRequest.ts"
import { renewals } from "./RenewedQueries.ts"

/** A passage that was found, and how well it fits. */
export interface FoundHit {
  readonly passage: Passage
  readonly score: number
}

/** How answers follow retrieval that is renewed as they grow. */
export interface Renewal<E, R> {
  /** Tokens between two retrievals. */
  readonly every: number
  /** Passages of a retrieval. */
  readonly k: number
  /** τ_R: similarities are divided by it. */
  readonly temperature: number
  readonly prompts: Pick<Prompts, "prompt" | "settings">
  /** What is searched for after so much of an answer (`renewedQuery`). */
  readonly textFor: (question: string, answer: readonly number[]) => string
  readonly search: (texts: readonly string[], k: number) => Effect.Effect<readonly (readonly FoundHit[])[], E, R>
}

/**
 * Likelihoods of given answers under RAG-Token with renewed retrieval: every beginning of an answer is searched for, each
 * different passage scores the whole answer once, and each token's passages are those of its own retrieval.
 */
export const renewedLikelihoods = Effect.fnUntraced(function* <E, R>(
  generator: RagGenerator,
  asked: readonly { readonly question: string; readonly answer: readonly number[] }[],
  { every, k, temperature, prompts, textFor, search }: Renewal<E, R>,
): Effect.fn.Return<readonly { readonly logprob: number; readonly tokens: number }[], GeneratorError | E, R> {
  const texts = asked.map(({ question, answer }) =>
    renewals(answer.length, every).map((count) => textFor(question, answer.slice(0, count))),
  )
  const hits = yield* search(texts.flat(), k)
  let at = 0
  const found = texts.map((own) => own.map(() => hits[at++] ?? []))
  const different = found.map((own) => [...new Map(own.flat().map(({ passage }) => [passage.id, passage])).values()])
  const requests = yield* attemptToPrompt(() =>
    asked.map(({ question, answer }, index) => ({
      prompts:
        different[index]!.length === 0
          ? [prompts.prompt(question, [])]
          : different[index]!.map((passage) => prompts.prompt(question, [passage])),
      answer: { ids: answer },
    })),
  )
  const scores = yield* generator.score(requests)
  return asked.map(({ answer }, index) => {
    const places = new Map(different[index]!.map(({ id }, place) => [id, place]))
    const perToken = scores[index]!.map((score) => score.perToken)
    let logprob = 0
    for (const [segment, own] of found[index]!.entries()) {
      const [from, to] = [segment * every, Math.min(answer.length, (segment + 1) * every)]
      const rows = own.length === 0 ? [0] : own.map(({ passage }) => places.get(passage.id)!)
      const prior =
        own.length === 0
          ? [0]
          : logPriorOf(
              own.map(({ score }) => score),
              temperature,
            )
      logprob += marginalScore(
        prior,
        rows.map((row) => perToken[row]!.slice(from, to)),
        "token",
      ).logprob
    }
    return { logprob, tokens: answer.length }
  })
})

/** An answer, with the passages of each of its retrievals. */
export interface RenewedAnswer extends Pick<RagAnswer, "text" | "ids" | "finish" | "logprob"> {
  readonly retrievals: readonly {
    readonly query: string
    readonly passages: readonly FoundHit[]
    /** Tokens that were written from these passages. */
    readonly tokens: RagAnswer["tokens"]
  }[]
  /** Tokens of all prompts that were read for it; what was written before a retrieval is one more time part of them. */
  readonly promptTokens: number
}

/** An answer while it is written. */
interface Writing {
  readonly question: string
  ids: readonly number[]
  finish: RagAnswer["finish"] | undefined
  retrievals: RenewedAnswer["retrievals"]
  logprob: number
  promptTokens: number
}

/**
 * Writes answers as RAG-Token with renewed retrieval was trained: after every so many tokens the question with the answer so
 * far is searched for, and what follows is written from the passages that were found then. Of decoders alone: in an
 * encoder-decoder what was written belongs to no prompt.
 */
export const renewedAnswers = Effect.fnUntraced(function* <E, R>(
  {
    model,
    generator,
    beams = 1,
  }: { readonly model: LanguageModel; readonly generator: RagGenerator; readonly beams?: number },
  questions: readonly string[],
  { every, k, temperature, prompts, textFor, search }: Renewal<E, R>,
): Effect.fn.Return<readonly RenewedAnswer[], GeneratorError | E, R> {
  if (model.kind === "seq2seq") {
    return yield* new InvalidGeneration({
      message: "an encoder-decoder cannot go on with an answer after passages were searched again",
      field: "renewEvery",
      expected: "a decoder",
      found: "an encoder-decoder",
    })
  }
  const most = prompts.settings.maxAnswer
  const states = questions.map(
    (question): Writing => ({ question, ids: [], finish: undefined, retrievals: [], logprob: 0, promptTokens: 0 }),
  )
  for (let written = 0; written < most; written += every) {
    const open = states.filter(({ finish }) => finish === undefined)
    if (open.length === 0) break
    const texts = open.map(({ question, ids }) => textFor(question, ids))
    const hits = yield* search(texts, k)
    const requests = yield* attemptToPrompt(() =>
      open.map(({ question, ids }, index) => {
        const found = (hits[index] ?? []).map(({ passage, score }) => ({ ...passage, score }))
        const begun = {
          prompt: (query: string, contexts: readonly Context[]) => {
            const prompt = prompts.prompt(query, contexts)
            return { ...prompt, ids: [...prompt.ids, ...ids] }
          },
        }
        return ragRequestOf(question, found, { prompts: begun, temperature })
      }),
    )
    const answers = yield* answerFromPassages(generator, requests, {
      decoding: { kind: "token", beams },
      maxTokens: Math.min(every, most - written),
    })
    for (const [index, state] of open.entries()) {
      const { ids, finish, tokens, logprob } = answers[index]!
      state.ids = [...state.ids, ...ids]
      state.logprob += logprob
      state.promptTokens += promptTokensOf(requests[index]!)
      state.retrievals = [...state.retrievals, { query: texts[index]!, passages: hits[index] ?? [], tokens }]
      if (finish !== "length" || written + every >= most) state.finish = finish
    }
  }
  return states.map(({ ids, finish = "length", retrievals, logprob, promptTokens }) => {
    const pieces = generator.pieces(ids)
    let at = 0
    return {
      text: pieces.join(""),
      ids,
      finish,
      retrievals: retrievals.map((each) => ({
        ...each,
        tokens: each.tokens.map((token) => ({ ...token, text: pieces[at++] ?? "" })),
      })),
      logprob,
      promptTokens,
    }
  })
})

/** The passages that an answer came from. */
export interface RenewedSources {
  /**
   * All that its retrievals found, in the order in which they were found first: `score` and `prior` before the answer is known,
   * in that retrieval, and `weight`, the mean of what each contributes to the answer's tokens.
   */
  readonly sources: readonly (FoundHit & { readonly prior: number; readonly weight: number })[]
  /** The answer's tokens, with what each source contributes: 0 for those that its own retrieval did not find. */
  readonly tokens: RagAnswer["tokens"]
}

/** Brings the passages of all of an answer's retrievals together. */
export const renewedSources = ({ retrievals }: RenewedAnswer, temperature: number): RenewedSources => {
  const found = new Map<string, FoundHit & { readonly prior: number }>()
  for (const { passages } of retrievals) {
    const prior = logPriorOf(
      passages.map(({ score }) => score),
      temperature,
    )
    for (const [place, { passage, score }] of passages.entries())
      if (!found.has(passage.id)) found.set(passage.id, { passage, score, prior: Math.exp(prior[place]!) })
  }
  const order = [...found.keys()]
  const tokens = retrievals.flatMap(({ passages, tokens: written }) => {
    const places = new Map(passages.map(({ passage }, place) => [passage.id, place]))
    return written.map((token) => ({
      ...token,
      weights: order.map((id) => {
        const place = places.get(id)
        return place === undefined ? 0 : token.weights[place]!
      }),
    }))
  })
  const weightOf = (place: number): number =>
    tokens.reduce((sum, { weights }) => sum + weights[place]!, 0) / Math.max(1, tokens.length)
  return { sources: [...found.values()].map((each, place) => ({ ...each, weight: weightOf(place) })), tokens }
}
