import {
  type Context,
  type GeneratorError,
  type GeneratorShape,
  InvalidPrompt,
  type Prompts,
  promptText,
  type RagTemplate,
  type ScoreRequest,
} from "@tandem/generator"
import { Effect } from "effect"
import { InvalidScoresError } from "../Errors.ts"
import { pairText, type ScoreCache } from "./ScoreCache.ts"
import { type AnswerScore, isLikelihood, type ScoredPair } from "./TaughtQuestion.ts"

/** A language model that says which passages help to an answer. It never learns here. */
export interface Teacher {
  /** Names everything that decides its scores: model, template, limits of prompts. */
  readonly fingerprint: string
  /** The model's name, for people. */
  readonly model: string
  readonly generator: Pick<GeneratorShape, "score">
  /** How it is asked for an answer's likelihood with several contexts. Throws `InvalidPrompt` where it cannot be asked. */
  readonly request: (query: string, contexts: readonly (readonly Context[])[], answer: string) => ScoreRequest
  /**
   * How its scores are called for: so many questions in one call, whose prompts share their beginnings; or, where each prompt
   * is a call of its own somewhere else, so many of these at once, each kept as soon as it is there.
   */
  readonly calls: { readonly questions: number } | { readonly concurrency: number }
}

/** Questions that a local teacher scores in one call. */
const questionsAtOnce = 32

/** A teacher in this process, asked as training asks it: a prompt that is too long loses the end of its context. */
export const localTeacher = (
  generator: Pick<GeneratorShape, "score">,
  prompts: Pick<Prompts, "prompt" | "answer">,
  named: Pick<Teacher, "fingerprint" | "model">,
): Teacher => ({
  ...named,
  generator,
  request: (query, contexts, answer) => ({
    prompts: contexts.map((context) => prompts.prompt(query, context)),
    answer: prompts.answer(answer),
  }),
  calls: { questions: questionsAtOnce },
})

/** A teacher behind an endpoint with log-probabilities. */
export const remoteTeacher = (
  generator: GeneratorShape,
  template: RagTemplate,
  named: Pick<Teacher, "fingerprint"> & { readonly concurrency: number },
): Teacher => ({
  fingerprint: named.fingerprint,
  model: generator.model,
  generator,
  request: (query, contexts, answer) => ({
    prompts: contexts.map((context) => promptText(template, query, context)),
    answer,
  }),
  calls: { concurrency: named.concurrency },
})

/** What scoring came to. */
export interface Scored {
  /** By pair, in the order that was asked for. */
  readonly scores: readonly AnswerScore[]
  /** Pairs that the teacher was asked for; the others were known. */
  readonly asked: number
}

/** Scores pairs. Those that the cache holds cost nothing; equal ones are asked for once. */
export type ScorePairs<E, R = never> = (
  pairs: readonly ScoredPair[],
  progress?: (done: number, total: number) => void,
) => Effect.Effect<Scored, E, R>

/**
 * Scores pairs by a teacher and keeps every score as soon as it is there: what was paid for once is never asked for again, in
 * later epochs, runs and after a kill. A likelihood that is no number, or above 0, ends in `InvalidScoresError`.
 */
export const scorePairs =
  <E>(teacher: Teacher, cache: ScoreCache<E>): ScorePairs<E | GeneratorError | InvalidScoresError> =>
  (pairs, progress = () => {}) =>
    Effect.gen(function* () {
      const missing = new Map(
        pairs.flatMap((pair) => (cache.get(pair) === undefined ? [[pairText(pair), pair] as const] : [])),
      )
      const asked = missing.size
      const questions = [
        ...Map.groupBy(missing.values(), ({ query, answer }) => JSON.stringify([query, answer])).values(),
      ]
      let done = 0
      progress(0, asked)
      const ask = Effect.fnUntraced(function* (groups: readonly (readonly ScoredPair[])[]) {
        const requests = yield* attempt(() =>
          groups.map((group) =>
            teacher.request(
              group[0]!.query,
              group.map(({ contexts }) => contexts),
              group[0]!.answer,
            ),
          ),
        )
        const found = yield* teacher.generator.score(requests)
        const rows = groups.flatMap((group, index) =>
          group.map((pair, place) => {
            const { logprob, perToken } = found[index]![place]!
            return [pair, { logprob, tokens: perToken.length }] as const
          }),
        )
        for (const [pair, score] of rows) yield* checkLikelihood(pair, score)
        yield* cache.add(rows)
        done += rows.length
        progress(done, asked)
      })
      const { calls } = teacher
      yield* "questions" in calls
        ? Effect.forEach(chunksOf(questions, calls.questions), ask, { discard: true })
        : Effect.forEach(questions.flat(), (pair) => ask([[pair]]), { concurrency: calls.concurrency, discard: true })
      return { scores: pairs.map((pair) => cache.get(pair)!), asked }
    })

const checkLikelihood = ({ query }: ScoredPair, { logprob, tokens }: AnswerScore) =>
  isLikelihood({ logprob, tokens })
    ? Effect.void
    : Effect.fail(
        new InvalidScoresError({
          message: `the teacher's likelihood of an answer to ${JSON.stringify(query.slice(0, 80))} is none`,
          field: "logprob",
          expected: "a number of nats, at most 0, of one token or more",
          found: `${logprob} of ${tokens} tokens`,
        }),
      )

const chunksOf = <A>(all: readonly A[], size: number): readonly (readonly A[])[] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))

const attempt = <A>(body: () => A): Effect.Effect<A, InvalidPrompt> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (cause) {
      return cause instanceof InvalidPrompt ? Effect.fail(cause) : Effect.die(cause)
    }
  })
