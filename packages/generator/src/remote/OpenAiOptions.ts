import { Duration, Effect, Redacted } from "effect"
import { InvalidGeneration } from "../Errors.ts"

/**
 * What answers behind an endpoint, as far as servers differ: how settings are called that OpenAI's interface lacks, and
 * how given tokens are scored. `openai` knows neither and scores by `echo`.
 */
export type Server = "openai" | "vllm" | "llama.cpp"

export interface OpenAiOptions {
  /** Where the interface begins: `http://localhost:8000/v1`. */
  readonly baseUrl: string
  /** The model's name there. */
  readonly model: string
  /** Sent as a bearer token; in no message and no record. */
  readonly apiKey?: Redacted.Redacted
  /** `openai` where absent. */
  readonly server?: Server
  /**
   * What the model's answers end in, as text: `</s>`, `<|im_end|>`. Scoring needs it, because an answer's likelihood holds
   * that of its end; an empty text leaves the end out.
   */
  readonly endOfText?: string
  /** Whether log-probabilities of tokens are asked for; true where absent. Some models' servers refuse that. */
  readonly logprobs?: boolean
  /** Further fields of every request that writes, which go before ours. */
  readonly parameters?: Readonly<Record<string, unknown>>
  /** Requests under way at once; 4 where absent. */
  readonly concurrency?: number
  /** Longest silence of the server, before an answer or within one; 2 minutes where absent. */
  readonly timeout?: Duration.Input
  /** Most times that a request is sent again after 408, 429, 5xx or a broken connection; 4 where absent. */
  readonly retries?: number
  /** The first wait between two tries; each later one is twice as long, give or take a fifth; half a second where absent. */
  readonly retryDelay?: Duration.Input
  /** Most bytes of a response; 16 MiB where absent. */
  readonly maxBytes?: number
}

/** Options with nothing left open. */
export interface Endpoint {
  readonly url: string
  readonly model: string
  readonly apiKey: Redacted.Redacted | undefined
  readonly server: Server
  readonly endOfText: string | undefined
  readonly logprobs: boolean
  readonly parameters: Readonly<Record<string, unknown>>
  readonly concurrency: number
  readonly timeout: Duration.Duration
  readonly retries: number
  readonly retryDelay: Duration.Duration
  readonly maxBytes: number
  /** A text of the server's as messages may show it: short, and without the key. */
  readonly shown: (text: string) => string
}

const shownCharacters = 300

/** Fills options up. An address or a number that cannot be used ends in `InvalidGeneration`. */
export const endpointOf = Effect.fnUntraced(function* (
  options: OpenAiOptions,
): Effect.fn.Return<Endpoint, InvalidGeneration> {
  const { concurrency = 4, retries = 4, maxBytes = 2 ** 24 } = options
  for (const [field, value, least] of [
    ["concurrency", concurrency, 1],
    ["retries", retries, 0],
    ["maxBytes", maxBytes, 1],
  ] as const) {
    if (Number.isSafeInteger(value) && value >= least) continue
    return yield* new InvalidGeneration({
      message: `\`${field}\` is not a whole number of at least ${least}`,
      field,
      found: `${value}`,
    })
  }
  const secret = options.apiKey === undefined ? "" : Redacted.value(options.apiKey)
  return {
    url: yield* addressOf(options.baseUrl),
    model: options.model,
    apiKey: options.apiKey,
    server: options.server ?? "openai",
    endOfText: options.endOfText,
    logprobs: options.logprobs ?? true,
    parameters: options.parameters ?? {},
    concurrency,
    timeout: Duration.fromInputUnsafe(options.timeout ?? "2 minutes"),
    retries,
    retryDelay: Duration.fromInputUnsafe(options.retryDelay ?? "500 millis"),
    maxBytes,
    shown: (text) => (secret === "" ? text : text.replaceAll(secret, "<redacted>")).slice(0, shownCharacters),
  }
})

const addressOf = (baseUrl: string): Effect.Effect<string, InvalidGeneration> => {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  const plain = url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" && url.search === ""
  if (plain) return Effect.succeed(`${url.origin}${url.pathname.replace(/\/+$/, "")}`)
  return Effect.fail(
    new InvalidGeneration({
      message: "`baseUrl` is no address that requests can be sent to",
      field: "baseUrl",
      expected: "http or https, without a user and without a query",
      found: url === undefined ? baseUrl : `${url.protocol}//${url.host}${url.pathname}`,
    }),
  )
}
