import { Effect, Schema } from "effect"
import { RemoteFailed } from "../Errors.ts"
import type { Finish, Usage } from "../Generator.ts"
import type { Endpoint } from "./OpenAiOptions.ts"

/** As `/chat/completions` writes log-probabilities, or as `/completions` does. */
const Logprobs = Schema.Struct({
  content: Schema.optional(Schema.NullOr(Schema.Array(Schema.Struct({ logprob: Schema.Finite })))),
  tokens: Schema.optional(Schema.NullOr(Schema.Array(Schema.String))),
  token_logprobs: Schema.optional(Schema.NullOr(Schema.Array(Schema.NullOr(Schema.Finite)))),
})

const ending = {
  index: Schema.optional(Schema.Int),
  finish_reason: Schema.optional(Schema.NullOr(Schema.String)),
  stop_reason: Schema.optional(Schema.Unknown),
  logprobs: Schema.optional(Schema.NullOr(Logprobs)),
}

const Words = Schema.Struct({
  content: Schema.optional(Schema.NullOr(Schema.String)),
  refusal: Schema.optional(Schema.NullOr(Schema.String)),
  // Servers differ in what they call a reasoning model's thoughts.
  reasoning_content: Schema.optional(Schema.NullOr(Schema.String)),
  reasoning: Schema.optional(Schema.Unknown),
})

/** A choice of any of the four forms: whole or in parts, of a conversation or of a text. */
const Choice = Schema.Struct({
  ...ending,
  message: Schema.optional(Words),
  delta: Schema.optional(Words),
  text: Schema.optional(Schema.String),
  prompt_logprobs: Schema.optional(
    Schema.NullOr(Schema.Array(Schema.NullOr(Schema.Record(Schema.String, Schema.Struct({ logprob: Schema.Finite }))))),
  ),
})

const Tokens = Schema.Struct({
  prompt_tokens: Schema.optional(Schema.NullOr(Schema.Finite)),
  completion_tokens: Schema.optional(Schema.NullOr(Schema.Finite)),
})

/** An answer's response, or a part of one. */
export const Answered = Schema.Struct({
  choices: Schema.Array(Choice),
  usage: Schema.optional(Schema.NullOr(Tokens)),
})

export type Choice = (typeof Answered)["Type"]["choices"][number]

/** What vLLM's `/tokenize` gives. */
export const Tokenized = Schema.Struct({ tokens: Schema.Array(Schema.Int) })

/** Reads a response by its schema. What does not fit, or tells of an error, ends in `RemoteFailed`. */
export const readResponse = <A>(
  schema: Schema.Codec<A, unknown>,
  { shown }: Endpoint,
  url: string,
  json: unknown,
): Effect.Effect<A, RemoteFailed> => {
  const { error }: { readonly error?: unknown } = Object(json)
  if (error !== undefined && error !== null) {
    const { message }: { readonly message?: unknown } = Object(error)
    const found = shown(typeof message === "string" ? message : JSON.stringify(error))
    return Effect.fail(new RemoteFailed({ message: `an error from ${url}`, url, found }))
  }
  return Schema.decodeUnknownEffect(schema)(json).pipe(
    Effect.mapError(
      ({ message }) =>
        new RemoteFailed({
          message: `something else than the interface says from ${url}`,
          url,
          expected: shown(message),
          found: shown(JSON.stringify(json) ?? "nothing"),
        }),
    ),
  )
}

/** The text of a choice, or of a part of one. */
export const textOf = ({ message, delta, text }: Choice): string => (message ?? delta)?.content ?? text ?? ""

/** What a reasoning model thought, where the server tells it apart. */
export const thoughtsOf = ({ message }: Choice): string | undefined => {
  const thoughts = message?.reasoning_content ?? message?.reasoning
  return typeof thoughts === "string" && thoughts !== "" ? thoughts : undefined
}

/** What a request cost in tokens, where the server tells both counts, whatever else its response holds. */
export const usageIn = (json: unknown): Usage | undefined => {
  const { usage }: { readonly usage?: unknown } = Object(json)
  const { prompt_tokens: inputTokens, completion_tokens: outputTokens }: Partial<Record<string, unknown>> =
    Object(usage)
  return typeof inputTokens === "number" && typeof outputTokens === "number" ? { inputTokens, outputTokens } : undefined
}

/** Log-probabilities of a choice's tokens; none where the server tells none. */
export const logprobsOf = ({ logprobs }: Choice): readonly number[] => {
  if (logprobs?.content) return logprobs.content.map(({ logprob }) => logprob)
  return (logprobs?.token_logprobs ?? []).filter((one) => one !== null)
}

/** Why a choice ended, or nothing where it goes on. Another reason than an answer's ends in `RemoteFailed`. */
export const finishOf = (
  choice: Choice,
  { shown }: Endpoint,
  url: string,
): Effect.Effect<Finish | undefined, RemoteFailed> => {
  const refusal = (choice.message ?? choice.delta)?.refusal
  const reason = typeof refusal === "string" && refusal !== "" ? `refusal: ${refusal}` : choice.finish_reason
  if (reason === undefined || reason === null) return Effect.succeed(undefined)
  if (reason === "length") return Effect.succeed("length")
  if (reason === "stop") return Effect.succeed(typeof choice.stop_reason === "string" ? "stop" : "end")
  return Effect.fail(
    new RemoteFailed({
      message: `no whole answer from ${url}`,
      url,
      field: "finish_reason",
      expected: "stop or length",
      found: shown(reason),
    }),
  )
}
