import {
  answerFromPassages,
  logPriorOf,
  makeLocalGenerator,
  type Prompts,
  type RagAnswer,
  type RagDecoding,
  type RagRequest,
  streamFromPassages,
} from "@tandem/generator"
import type { ModelError } from "@tandem/models"
import { attemptToPrompt, promptTokensOf, ragRequestOf } from "@tandem/objectives/joint/RagRequest"
import { renewedAnswers, renewedSources } from "@tandem/objectives/joint/RenewedAnswers"
import { renewedQuery } from "@tandem/objectives/joint/RenewedQueries"
import type { Runtime } from "@tandem/runtime"
import { Effect, type Scope, Stream } from "effect"
import { InvalidAskError, type RagError } from "../Errors.ts"
import type { FoundPassage } from "../KnowledgeSource.ts"
import { isSource, type RagParts, type Reader } from "../RagParts.ts"
import type { Answer, AnswerSource, AskDecoding, AskEvent, AskOptions, Source } from "../RagSystem.ts"
import { makeBatcher } from "./Batcher.ts"
import { checkCount, checkMaxTokens, checkQuestion } from "./Checks.ts"
import type { Searching } from "./Searching.ts"

/** Answers questions. */
export interface Answering {
  readonly ask: (question: string, options: AskOptions) => Effect.Effect<Answer, RagError>
  readonly askStream: (question: string, options: AskOptions) => Stream.Stream<AskEvent, RagError>
}

/** Most questions that are answered side by side. */
const most = 8

/** A question with everything that decides its answer. */
interface Asked {
  readonly question: string
  readonly k: number
  readonly decoding: AskDecoding
  readonly maxTokens: number
}

/** A question with its passages, as the generator reads it. */
interface Prepared extends Asked {
  readonly found: readonly FoundPassage[]
  readonly prior: readonly number[]
  readonly request: RagRequest
  readonly promptTokens: number
}

/** Passages with their shares before an answer is known. */
export const sourcesOf = (found: readonly FoundPassage[], temperature: number): readonly Source[] => {
  const prior = priorOf(found, temperature)
  return found.map(({ passage: { id, title, text }, score }, place) => ({
    id,
    ...(title === undefined ? {} : { title }),
    text,
    score,
    weight: prior[place]!,
  }))
}

const priorOf = (found: readonly FoundPassage[], temperature: number): readonly number[] =>
  logPriorOf(
    found.map(({ score }) => score),
    temperature,
  ).map(Math.exp)

/** Answers with a language model in this process, from what `searching` finds. Questions that come together are read together. */
export const makeAnswering = Effect.fnUntraced(function* (
  { k: trainedK, temperature, knowledge }: RagParts,
  reader: Reader,
  searching: Searching,
): Effect.fn.Return<Answering, ModelError, Runtime | Scope.Scope> {
  const { model, prompts, name, renewEvery } = reader
  const generator = yield* makeLocalGenerator({ model, name })

  const settled = Effect.fnUntraced(function* (question: string, options: AskOptions) {
    const { k = trainedK, decoding = reader.decoding, maxTokens = prompts.settings.maxAnswer } = options
    yield* checkQuestion(question)
    yield* checkCount(k)
    yield* checkMaxTokens(maxTokens)
    return { question, k, decoding, maxTokens: Math.min(maxTokens, prompts.settings.maxAnswer) } satisfies Asked
  })
  const prepared = Effect.fnUntraced(function* (
    asked: Asked,
    found: readonly FoundPassage[],
  ): Effect.fn.Return<Prepared, RagError> {
    const { question, decoding } = asked
    const request = yield* attemptToPrompt(() => requestOf(question, found, { prompts, temperature, decoding }))
    return { ...asked, found, prior: priorOf(found, temperature), request, promptTokens: promptTokensOf(request) }
  })
  const answered = ({ found, prior, decoding, promptTokens }: Prepared, written: RagAnswer): Answer => {
    const { text, logprob, tokens, finish, posterior } = written
    // One prompt for all passages says nothing of each one's part.
    const isJoined = decoding.kind === "together" || found.length === 0
    const shares = isJoined ? prior : posterior
    return {
      answer: text.trim(),
      confidence: confidenceOf(logprob, tokens.length),
      sources: sourcesOf(found, temperature).map(
        (source, place): AnswerSource => ({
          ...source,
          prior: prior[place]!,
          weight: shares[place]!,
        }),
      ),
      tokens: isJoined ? tokens.map((token) => ({ ...token, weights: prior })) : tokens,
      finish,
      promptTokens,
    }
  }

  const renewal =
    renewEvery === undefined || isSource(knowledge)
      ? undefined
      : {
          every: renewEvery,
          temperature,
          prompts,
          textFor: renewedQuery({ query: knowledge.query.encoder, generator: model, retrieval: knowledge.retrieval }),
          search: searching.search,
        }
  const renews = ({ decoding }: Asked) => renewal !== undefined && decoding.kind === "token"
  const writeRenewed = Effect.fnUntraced(function* (asked: readonly Asked[]) {
    if (renewal === undefined) return []
    const { decoding, k, maxTokens } = asked[0]!
    const beams = decoding.kind === "token" && decoding.beams !== undefined ? { beams: decoding.beams } : {}
    const answers = yield* renewedAnswers(
      { model, generator, ...beams },
      asked.map(({ question }) => question),
      { ...renewal, k, prompts: { ...prompts, settings: { ...prompts.settings, maxAnswer: maxTokens } } },
    )
    return answers.map((answer): Answer => {
      const { sources, tokens } = renewedSources(answer, temperature)
      return {
        answer: answer.text.trim(),
        confidence: confidenceOf(answer.logprob, tokens.length),
        sources: sources.map(({ passage: { id, title, text }, score, prior, weight }) => ({
          id,
          ...(title === undefined ? {} : { title }),
          text,
          score,
          prior,
          weight,
        })),
        tokens,
        finish: answer.finish,
        promptTokens: answer.promptTokens,
      }
    })
  })
  const write = Effect.fnUntraced(function* (batch: readonly Asked[]): Effect.fn.Return<readonly Answer[], RagError> {
    const [first] = batch
    if (first === undefined) return []
    if (renews(first)) return yield* writeRenewed(batch)
    const questions = batch.map(({ question }) => question)
    const found = yield* searching.search(questions, first.k)
    const all = yield* Effect.forEach(batch, (asked, index) => prepared(asked, found[index] ?? []))
    const answers = yield* answerFromPassages(
      generator,
      all.map(({ request }) => request),
      { decoding: decodingOver(first.decoding), maxTokens: first.maxTokens },
    )
    return all.map((each, index) => answered(each, answers[index]!))
  })
  const answer = yield* makeBatcher<Asked, Answer, RagError>({
    most,
    keyOf: ({ k, decoding, maxTokens }) => JSON.stringify([k, decoding, maxTokens]),
    run: write,
  })

  const whole = (asked: Asked): Stream.Stream<AskEvent, RagError> =>
    Stream.unwrap(Effect.map(answer(asked), (found) => Stream.fromIterable(eventsOf(found))))
  const stepwise = (asked: Asked): Stream.Stream<AskEvent, RagError> =>
    Stream.unwrap(
      Effect.gen(function* () {
        const [found = []] = yield* searching.search([asked.question], asked.k)
        const each = yield* prepared(asked, found)
        const isJoined = asked.decoding.kind === "together" || found.length === 0
        const telling = streamFromPassages(generator, each.request, { maxTokens: asked.maxTokens }).pipe(
          Stream.map((part): AskEvent => {
            if (part.type === "done") return { type: "done", answer: answered(each, part.answer) }
            return { type: "token", token: isJoined ? { ...part.token, weights: each.prior } : part.token }
          }),
        )
        return Stream.concat(
          Stream.succeed<AskEvent>({ type: "sources", sources: sourcesOf(found, temperature) }),
          telling,
        )
      }),
    )

  return {
    ask: (question, options) => Effect.flatMap(settled(question, options), answer),
    askStream: (question, options) =>
      Stream.unwrap(
        Effect.map(settled(question, options), (asked) =>
          isGreedy(asked.decoding) && !renews(asked) ? stepwise(asked) : whole(asked),
        ),
      ),
  }
})

/** Refuses to answer, where there is no language model. */
export const cannotAnswer: Answering = {
  ask: () => Effect.fail(noReader()),
  askStream: () => Stream.fail(noReader()),
}

const noReader = () =>
  new InvalidAskError({
    message: "there is no language model, so that passages are found and questions not answered",
    field: "model",
    expected: "a run with a generator, or a generator of one's own",
    found: "a retriever alone",
  })

/** Whether each token is known when it is chosen. */
const isGreedy = (decoding: AskDecoding): boolean =>
  decoding.kind === "together" || (decoding.kind === "token" && (decoding.beams ?? 1) === 1)

/** One prompt of all passages is answered by the mixture of one. */
const decodingOver = (decoding: AskDecoding): RagDecoding =>
  decoding.kind === "together" ? { kind: "token" } : decoding

const requestOf = (
  question: string,
  found: readonly FoundPassage[],
  {
    prompts,
    temperature,
    decoding,
  }: { readonly prompts: Prompts; readonly temperature: number; readonly decoding: AskDecoding },
): RagRequest => {
  const passages = found.map(({ passage, score }) => ({ ...passage, score }))
  return decoding.kind === "together"
    ? { prompts: [prompts.prompt(question, passages)], logPrior: [0] }
    : ragRequestOf(question, passages, { prompts, temperature })
}

const confidenceOf = (logprob: number, tokens: number) => ({ logprob, perToken: logprob / Math.max(1, tokens) })

/** An answer that is there, as the events of its writing. */
const eventsOf = (answer: Answer): readonly AskEvent[] => [
  {
    type: "sources",
    sources: answer.sources.map(({ prior, ...source }) => ({ ...source, weight: prior })),
  },
  ...answer.tokens.map((token): AskEvent => ({ type: "token", token })),
  { type: "done", answer },
]
