import { Effect, Layer, Stream } from "effect"
import { InvalidGeneration, InvalidPrompt, RemoteFailed } from "../Errors.ts"
import { type Generation, type GenerationPart, Generator, type GeneratorShape, type Usage } from "../Generator.ts"
import { type Endpoint, endpointOf, type OpenAiOptions } from "./OpenAiOptions.ts"
import { scorer } from "./RemoteScore.ts"
import { type WriteRequest, writeRequest } from "./Requests.ts"
import { Answered, type Choice, finishOf, logprobsOf, readResponse, textOf, thoughtsOf, usageIn } from "./Responses.ts"
import { makeTransport } from "./Transport.ts"

/**
 * A generator behind an OpenAI-compatible endpoint: conversations go to `/chat/completions`, texts to `/completions`. It
 * needs nothing but `fetch`, so it runs on Node, Bun and Deno and in a page.
 *
 * Writes greedily or draws; `seed`, `topK` and `repetitionPenalty` are as good as the server. Scores where `server` is
 * vLLM, or where `/completions` echoes likelihoods of texts; see `OpenAiOptions`. Ids are empty; log-probabilities are
 * there where the server tells them, else `score` is NaN.
 *
 * Options that cannot be used end in `InvalidGeneration`; what the server refuses or does not finish in `RemoteFailed`
 * with address and status, after retries where they may help. A stream that breaks off ends in it as well.
 *
 * @example
 * ```ts
 * import { Generator, layerOpenAi } from "@tandem/generator"
 * import { Effect, Redacted } from "effect"
 *
 * const layer = layerOpenAi({
 *   baseUrl: "http://localhost:8000/v1",
 *   model: "Qwen/Qwen3-0.6B",
 *   apiKey: Redacted.make("secret"),
 *   server: "vllm",
 *   endOfText: "<|im_end|>",
 *   retries: 0,
 * })
 * const answer = Effect.gen(function* () {
 *   const generator = yield* Generator
 *   const [[best] = []] = yield* generator.generate([[{ role: "user", content: "How long was the river?" }]])
 *   return best?.text
 * })
 * console.log(await Effect.runPromise(Effect.provide(answer, layer).pipe(Effect.catch((error) => Effect.succeed(error.message)))))
 * ```
 */
export const openAiGenerator = Effect.fnUntraced(function* (
  options: OpenAiOptions,
): Effect.fn.Return<GeneratorShape, InvalidGeneration> {
  const endpoint = yield* endpointOf(options)
  const transport = yield* makeTransport(endpoint)
  const scoreOne = scorer(endpoint, transport)
  const { concurrency } = endpoint

  const score: GeneratorShape["score"] = (requests) =>
    Effect.forEach(
      requests,
      ({ prompts, answer }) => Effect.forEach(prompts, (prompt) => scoreOne(prompt, answer), { concurrency }),
      { concurrency },
    )

  const generate: GeneratorShape["generate"] = Effect.fnUntraced(function* (inputs, given = {}) {
    const requests = yield* attempt(() => inputs.map((input) => writeRequest(endpoint, input, given)))
    return yield* Effect.forEach(
      requests,
      Effect.fnUntraced(function* ({ path, body, sequences }) {
        const url = `${endpoint.url}${path}`
        const json = yield* transport.post(path, body)
        const usage = usageIn(json)
        const written = yield* answersOf(json, { sequences, usage, endpoint, url }).pipe(
          Effect.mapError((error) =>
            usage === undefined ? error : new RemoteFailed({ ...error, message: error.message, usage }),
          ),
        )
        return written.toSorted((a, b) => b.score - a.score || 0)
      }),
      { concurrency },
    )
  })

  const stream: GeneratorShape["stream"] = (input, given = {}) =>
    Stream.unwrap(
      Effect.map(
        attempt(() => single(writeRequest(endpoint, input, given))),
        ({ path, body }) => {
          const url = `${endpoint.url}${path}`
          const parts = transport.events(path, body).pipe(
            Stream.mapEffect((json) => readResponse(Answered, endpoint, url, json)),
            Stream.flatMap(({ choices }) => Stream.fromIterable(choices)),
            Stream.mapEffect((choice) => partOf(choice, endpoint, url)),
            Stream.takeUntil(({ finish }) => finish !== undefined),
          )
          return finished(parts, url)
        },
      ),
    )

  return { model: endpoint.model, score, generate, stream }
})

/** The `Generator` of an OpenAI-compatible endpoint. */
export const layerOpenAi = (options: OpenAiOptions): Layer.Layer<Generator, InvalidGeneration> =>
  Layer.effect(Generator, openAiGenerator(options))

/** Runs what throws this package's errors. */
const attempt = <A>(run: () => A): Effect.Effect<A, InvalidGeneration | InvalidPrompt> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      if (error instanceof InvalidGeneration || error instanceof InvalidPrompt) return Effect.fail(error)
      return Effect.die(error)
    }
  })

/** A request for a single answer. */
const single = (request: WriteRequest): WriteRequest => {
  if (request.sequences === 1) return request
  throw new InvalidGeneration({
    message: "one answer is written while it is read",
    field: "sequences",
    expected: "1",
    found: `${request.sequences}`,
  })
}

interface AnswerPlace {
  readonly sequences: number
  readonly usage: Usage | undefined
  readonly endpoint: Endpoint
  readonly url: string
}

/** The answers of a response. */
const answersOf = Effect.fnUntraced(function* (json: unknown, { sequences, usage, endpoint, url }: AnswerPlace) {
  const { choices } = yield* readResponse(Answered, endpoint, url, json)
  if (choices.length !== sequences) {
    return yield* new RemoteFailed({
      message: `another number of answers than was asked for from ${url}`,
      url,
      expected: `${sequences}`,
      found: `${choices.length}`,
    })
  }
  return yield* Effect.forEach(choices, (choice) => generationOf(choice, usage, endpoint, url))
})

const generationOf = (
  choice: Choice,
  usage: Usage | undefined,
  endpoint: Endpoint,
  url: string,
): Effect.Effect<Generation, RemoteFailed> =>
  Effect.flatMap(finishOf(choice, endpoint, url), (finish) => {
    if (finish === undefined) return Effect.fail(unfinished(url))
    const logprobs = logprobsOf(choice)
    const score = logprobs.length === 0 ? Number.NaN : logprobs.reduce((sum, one) => sum + one, 0)
    const thoughts = thoughtsOf(choice)
    return Effect.succeed({
      text: textOf(choice),
      ids: [],
      logprobs,
      score,
      finish,
      ...(thoughts === undefined ? {} : { thoughts }),
      ...(usage === undefined ? {} : { usage }),
    })
  })

const partOf = (choice: Choice, endpoint: Endpoint, url: string): Effect.Effect<GenerationPart, RemoteFailed> =>
  Effect.map(finishOf(choice, endpoint, url), (finish) => ({
    text: textOf(choice),
    ids: [],
    logprobs: logprobsOf(choice),
    ...(finish === undefined ? {} : { finish }),
  }))

/** A stream that fails where it ends without a word of how. */
const finished = <E>(
  parts: Stream.Stream<GenerationPart, E>,
  url: string,
): Stream.Stream<GenerationPart, E | RemoteFailed> => {
  let ended = false
  const seen = Stream.map(parts, (part) => {
    ended ||= part.finish !== undefined
    return part
  })
  return Stream.concat(
    seen,
    Stream.suspend(() => (ended ? Stream.empty : Stream.fail(unfinished(url)))),
  )
}

const unfinished = (url: string): RemoteFailed =>
  new RemoteFailed({ message: `an answer without its end from ${url}`, url, field: "finish_reason", found: "none" })
