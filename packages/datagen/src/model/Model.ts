import {
  type GenerateOptions,
  type Generation,
  type GeneratorError,
  type GeneratorShape,
  type InvalidGeneration,
  type InvalidTemplate,
  type Message,
  type OutputFormat,
  RemoteFailed,
  type Usage,
} from "@tandem/generator"
import type { ModelError } from "@tandem/models"
import { Clock, Effect, type Semaphore } from "effect"
import { type BudgetReached, EndpointDown, type ResultStoreFailed } from "../Errors.ts"
import type { Budget } from "./Budget.ts"
import { makeRateLimit, type RateLimits } from "./RateLimit.ts"
import { withoutThoughts } from "./Reply.ts"
import type { ModelRole, ResultsShape, StoredReply } from "./Results.ts"
import { estimateTokens } from "./TokenEstimate.ts"

/** A language model as the pipeline uses it. */
export interface ModelOptions {
  readonly role: ModelRole
  readonly generator: GeneratorShape
  /** Longest reply in tokens, thoughts included. */
  readonly maxTokens: number
  readonly temperature: number
  /** How replies are held to a form: by a JSON schema, to be JSON, or by the prompt alone, as for any local model. */
  readonly structured: "schema" | "object" | "text"
  /** Of a million tokens. */
  readonly prices: { readonly input: number; readonly output: number }
  readonly limits: RateLimits
  /** Seconds without any answer after which it counts as down. */
  readonly giveUpAfter: number
  /** Seconds that are waited first, for what a generator does not try again itself; a longer wait follows each time. */
  readonly retryDelay: number
}

/** What models of a pipeline share. */
export interface Shared {
  readonly results: ResultsShape
  readonly budget: Budget
  /** Calls that are under way at once. */
  readonly turns: Semaphore.Semaphore
}

/** What a model is asked. */
export interface ModelRequest {
  readonly messages: readonly Message[]
  readonly format?: Extract<OutputFormat, { kind: "schema" }>
  /** Equal seeds and messages are one call. */
  readonly seed: number
}

/** A prompt and its reply. */
export interface Exchange {
  readonly messages: readonly Message[]
  /** Without thoughts. */
  readonly reply: string
  readonly thoughts?: string
  readonly finish: StoredReply["finish"]
  readonly usage: Usage
}

/** What ends a pipeline; what is finished is kept. */
export type ModelFailure =
  | BudgetReached
  | EndpointDown
  | ResultStoreFailed
  | ModelError
  | InvalidGeneration
  | InvalidTemplate

/** What answers requests. */
export interface Asking<E> {
  readonly call: (request: ModelRequest) => Effect.Effect<Exchange, E>
}

export interface Model extends Asking<ModelFailure> {
  readonly role: ModelRole
  readonly name: string
  /** The reply to a request: the one that is kept, or a new one, which is paid for and kept. */
  readonly call: (request: ModelRequest) => Effect.Effect<Exchange, ModelFailure>
  /** The reply to a request, if it is kept. */
  readonly kept: (request: ModelRequest) => Effect.Effect<Exchange | undefined, ResultStoreFailed>
  /** What tokens cost. */
  readonly costOf: (usage: Usage) => number
  /** What a request is estimated to read, and may write at most. */
  readonly mostOf: (request: ModelRequest) => Usage
}

/** Tries of one request, each of which the generator repeats itself, while others are answered. */
const mostTries = 5
const longestWait = 60_000

/**
 * A model whose replies are kept: each call is looked up by what decides it, and else made within the budget, the limits and
 * the shared turns, and kept before its reply is given.
 *
 * Waits with longer and longer pauses for an endpoint that does not answer. One that gives no answer for `giveUpAfter`, or
 * refuses the key or the model, ends in `EndpointDown`. One that does not hold replies to a form is asked by the prompt
 * alone. A reply that the endpoint itself withholds, and a prompt that it does not take, are replies with the finish
 * `refused`, for the item's stage to reject.
 */
export const makeModel = (options: ModelOptions, { results, budget, turns }: Shared): Model => {
  const { role, generator, maxTokens, temperature, structured, prices, giveUpAfter, retryDelay } = options
  const limit = makeRateLimit(options.limits)
  let lastAnswer = Number.NEGATIVE_INFINITY
  /** How replies are held to a form: by the prompt alone, once the endpoint has refused another way and taken this. */
  let held = structured

  const settingsOf = ({ format, seed }: ModelRequest, by = structured): GenerateOptions => ({
    decoding: { kind: "sample", temperature, seed },
    maxTokens,
    ...(format === undefined || by === "text" ? {} : { format: by === "schema" ? format : { kind: "object" } }),
  })
  const keyOf = (request: ModelRequest): Effect.Effect<string> =>
    hashOf(JSON.stringify([generator.model, request.messages, settingsOf(request)]))
  const costOf = ({ inputTokens, outputTokens }: Usage): number =>
    (inputTokens * prices.input + outputTokens * prices.output) / 1e6
  const mostOf = ({ messages }: ModelRequest): Usage => ({
    inputTokens: estimateMessages(messages),
    outputTokens: maxTokens,
  })

  /** One try; what may pass is tried again later. */
  const attempt = (request: ModelRequest, by: ModelOptions["structured"]): Effect.Effect<StoredReply, GeneratorError> =>
    Effect.gen(function* () {
      const { inputTokens, outputTokens } = mostOf(request)
      const settle = yield* limit.enter(inputTokens + outputTokens)
      const [[generation] = []] = yield* generator.generate([request.messages], settingsOf(request, by))
      if (generation === undefined) {
        return yield* new RemoteFailed({ message: `no answer of ${generator.model}`, expected: "one" })
      }
      const reply = storedOf(request, generation)
      settle(reply.usage.inputTokens + reply.usage.outputTokens)
      return reply
    })

  /**
   * One try within the budget, whose reply is kept before its money is settled; what an answer took that cannot be used is
   * paid as well.
   */
  const tried = Effect.fnUntraced(function* (request: ModelRequest, key: string, by: ModelOptions["structured"]) {
    const pay = yield* budget.reserve(costOf(mostOf(request)))
    const found = yield* attempt(request, by).pipe(
      Effect.map((reply) => ({ reply })),
      Effect.catchTags({
        InvalidPrompt: (error) => Effect.succeed({ reply: refused(error.message) }),
        RemoteFailed: (error) =>
          Effect.succeed(
            failureOf(error) === "withheld"
              ? { reply: refused(reasonOf(error), error.usage ?? { ...mostOf(request), outputTokens: 0 }) }
              : { error },
          ),
      }),
    )
    if ("reply" in found) {
      const { reply } = found
      pay(costOf(reply.usage))
      // What was not paid for may go well another time.
      if (reply.finish !== "refused" || reply.usage.inputTokens > 0) yield* results.put(key, role, reply)
    } else if (found.error.usage !== undefined) {
      pay(costOf(found.error.usage))
      yield* results.charge(role, found.error.usage)
    }
    return found
  }, Effect.scoped)

  const answered = Effect.fnUntraced(function* (
    request: ModelRequest,
    key: string,
  ): Effect.fn.Return<StoredReply, ModelFailure> {
    const began = yield* Clock.currentTimeMillis
    let by = request.format === undefined ? "text" : held
    for (let tries = 1, wait = retryDelay * 1000; ; tries++, wait = Math.min(longestWait, wait * 2)) {
      const found = yield* tried(request, key, by)
      const now = yield* Clock.currentTimeMillis
      if ("reply" in found) {
        lastAnswer = now
        if (request.format !== undefined) held = by
        return found.reply
      }
      const { error } = found
      const kind = failureOf(error)
      if (kind === "item" && by !== "text") {
        by = "text"
        continue
      }
      if (kind === "item") return refused(reasonOf(error))
      if (kind === "endpoint") return yield* down(role, generator.model, error)
      if (lastAnswer > began && tries >= mostTries) return refused(reasonOf(error))
      if (now - Math.max(lastAnswer, began) >= giveUpAfter * 1000) return yield* down(role, generator.model, error)
      yield* Effect.sleep(Math.max(wait, 1000 * (error.retryAfter ?? 0)))
    }
  })

  const keptAt = (request: ModelRequest, key: string) =>
    Effect.map(results.get(key), (reply) => (reply === undefined ? undefined : exchangeOf(request, reply)))

  return {
    role,
    name: generator.model,
    costOf,
    mostOf,
    kept: (request) => Effect.flatMap(keyOf(request), (key) => keptAt(request, key)),
    call: Effect.fnUntraced(function* (request) {
      const key = yield* keyOf(request)
      const kept = yield* keptAt(request, key)
      return kept ?? exchangeOf(request, yield* turns.withPermit(answered(request, key)))
    }),
  }
}

const exchangeOf = ({ messages }: ModelRequest, { text, thoughts, finish, usage }: StoredReply): Exchange => ({
  messages,
  reply: text,
  ...(thoughts === undefined ? {} : { thoughts }),
  finish,
  usage,
})

/** Tokens of a prompt, with a few around each message. */
const estimateMessages = (messages: readonly Message[]): number =>
  messages.reduce((sum, { content }) => sum + 8 + estimateTokens(content), 0)

const storedOf = ({ messages }: ModelRequest, generation: Generation): StoredReply => {
  const { finish, ids } = generation
  const spoken = withoutThoughts(generation.text)
  const thoughts = [generation.thoughts, spoken.thoughts].filter((part) => part !== undefined).join("\n\n")
  const usage = generation.usage ?? {
    inputTokens: estimateMessages(messages),
    outputTokens: ids.length > 0 ? ids.length : estimateTokens(`${thoughts}${spoken.text}`),
  }
  return { text: spoken.text, ...(thoughts === "" ? {} : { thoughts }), finish, usage }
}

/** No reply, and why; one that the endpoint withholds has cost something. */
const refused = (reason: string, usage: Usage = { inputTokens: 0, outputTokens: 0 }): StoredReply => ({
  text: reason,
  finish: "refused",
  usage,
})

/** Whether a failure is the item's, before or after its prompt was read, the endpoint's for good, or may pass. */
const failureOf = ({ status, field }: RemoteFailed): "item" | "withheld" | "endpoint" | "passing" => {
  if (field === "finish_reason") return "withheld"
  if (status === undefined || status === 408 || status === 425 || status === 429 || status >= 500) return "passing"
  return status === 400 || status === 413 || status === 422 ? "item" : "endpoint"
}

const reasonOf = ({ message, found }: RemoteFailed): string => (found === undefined ? message : `${message}: ${found}`)

const down = (role: ModelRole, model: string, { message, url, found }: RemoteFailed): EndpointDown =>
  new EndpointDown({
    message: `the ${role} model ${model} does not answer: ${message}`,
    ...(url === undefined ? {} : { file: url }),
    field: `api.${role}_base_url`,
    ...(found === undefined ? {} : { found }),
    hint: "run it again when it does: what is finished is kept",
  })

/** SHA-256 of a text, as hexadecimal digits. */
export const hashOf = (text: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
  })
