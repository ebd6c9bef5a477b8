import { Effect } from "effect"
import { InvalidGeneration, InvalidPrompt, type RemoteFailed } from "../Errors.ts"
import type { ModelInput, Score, ScoreRequest } from "../Generator.ts"
import type { Endpoint } from "./OpenAiOptions.ts"
import { plain, tokensGiven } from "./Requests.ts"
import { Answered, type Choice, readResponse, Tokenized } from "./Responses.ts"
import type { Transport } from "./Transport.ts"

type ScoreError = InvalidGeneration | InvalidPrompt | RemoteFailed

/** Scores one answer under one prompt. */
export type ScoreOne = (prompt: ModelInput, answer: ScoreRequest["answer"]) => Effect.Effect<Score, ScoreError>

/**
 * How an endpoint scores given tokens. vLLM tokenizes prompt and answer apart and tells `prompt_logprobs` of the joined
 * ids, so that nothing is guessed. Elsewhere `echo` is asked for twice, with the prompt alone and with the answer behind
 * it: what the second has more are the answer's tokens, unless one of them reaches across (`InvalidPrompt`). A server
 * that does neither ends in `InvalidGeneration`.
 */
export const scorer = (endpoint: Endpoint, transport: Transport): ScoreOne =>
  Effect.fnUntraced(function* (prompt, answer) {
    if (typeof answer !== "string") return yield* tokensGiven("an answer")
    if (endpoint.endOfText === undefined) {
      return yield* new InvalidGeneration({
        message: "how the model's answers end is not known, and their likelihood holds that",
        field: "endOfText",
        expected: "the text of the token that ends an answer, or an empty one to leave it out",
      })
    }
    if (prompt === "") return yield* new InvalidPrompt({ message: "a prompt has no text" })
    if (answer === "") return yield* new InvalidPrompt({ message: "no token is left of an answer", found: '""' })
    const asked = { endpoint, transport, answer, end: endpoint.endOfText }
    const perToken = yield* endpoint.server === "vllm" ? byTokens(asked, prompt) : byEcho(asked, prompt)
    return { perToken, logprob: perToken.reduce((sum, one) => sum + one, 0) }
  })

interface Asked {
  readonly endpoint: Endpoint
  readonly transport: Transport
  readonly answer: string
  readonly end: string
}

const byTokens = Effect.fnUntraced(function* (asked: Asked, prompt: ModelInput) {
  const { endpoint, transport, answer, end } = asked
  const { model, url } = endpoint
  const place = `${url.replace(/\/v1$/, "")}/tokenize`
  const idsOf = (body: Readonly<Record<string, unknown>>) =>
    transport.post(place, { model, ...body }).pipe(
      Effect.flatMap((json) => readResponse(Tokenized, endpoint, place, json)),
      Effect.map(({ tokens }) => tokens),
    )
  if (typeof prompt !== "string" && "ids" in prompt) return yield* tokensGiven("a prompt")
  const before = yield* typeof prompt === "string"
    ? idsOf({ prompt, add_special_tokens: true })
    : idsOf({ messages: plain(prompt), add_generation_prompt: true })
  const words = yield* idsOf({ prompt: answer, add_special_tokens: false })
  if (words.length === 0) {
    return yield* new InvalidPrompt({ message: "no token is left of an answer", found: JSON.stringify(answer) })
  }
  const ending = end === "" ? [] : yield* idsOf({ prompt: end, add_special_tokens: false })
  const ids = [...before, ...words, ...ending]
  const { prompt_logprobs: told } = yield* only(endpoint, transport, {
    prompt: ids,
    max_tokens: 1,
    temperature: 0,
    prompt_logprobs: 1,
  })
  const perToken = ids.map((id, index) => told?.[index]?.[`${id}`]?.logprob).slice(before.length)
  return yield* certain(perToken, "prompt_logprobs")
})

const byEcho = Effect.fnUntraced(function* (asked: Asked, prompt: ModelInput) {
  const { endpoint, transport, answer, end } = asked
  if (typeof prompt !== "string") {
    if ("ids" in prompt) return yield* tokensGiven("a prompt")
    return yield* new InvalidGeneration({
      message: "this interface tells no likelihood of a given answer to a conversation",
      field: "server",
      expected: "vllm, or prompts that are texts",
      found: endpoint.server,
    })
  }
  const echo = (text: string) =>
    Effect.filterOrElse(
      only(endpoint, transport, { prompt: text, echo: true, logprobs: 1, max_tokens: 0, temperature: 0 }),
      (choice) => (choice.text ?? "").length <= text.length,
      () => missing("echo that writes nothing more"),
    )
  const { logprobs: alone } = yield* echo(prompt)
  const { logprobs: whole } = yield* echo(`${prompt}${answer}${end}`)
  const first = alone?.tokens ?? []
  const tokens = whole?.tokens ?? []
  if (first.some((token, index) => token !== tokens[index])) {
    return yield* new InvalidPrompt({
      message: "a token of the remote model reaches across the place where the answer begins",
      hint: "let the prompt end in a line end, or the answer begin with a space",
    })
  }
  const perToken = tokens.map((_, index) => whole?.token_logprobs?.[index] ?? undefined).slice(first.length)
  return yield* certain(first.length === 0 ? [] : perToken, "echo with logprobs")
})

/** The one choice of a request that scores. A server that refuses such requests ends in `InvalidGeneration`. */
const only = (
  endpoint: Endpoint,
  transport: Transport,
  body: Readonly<Record<string, unknown>>,
): Effect.Effect<Choice, InvalidGeneration | RemoteFailed> =>
  transport.post("/completions", { model: endpoint.model, ...body }).pipe(
    Effect.flatMap((json) => readResponse(Answered, endpoint, `${endpoint.url}/completions`, json)),
    Effect.flatMap(({ choices: [choice] }) => (choice === undefined ? missing("a choice") : Effect.succeed(choice))),
    Effect.catchTag("RemoteFailed", (error): Effect.Effect<never, InvalidGeneration | RemoteFailed> => {
      const refused = [400, 404, 405, 422, 501].includes(error.status ?? 0)
      return refused ? missing("requests that score", error) : Effect.fail(error)
    }),
  )

/** Likelihoods of which none is missing. */
const certain = (
  perToken: readonly (number | undefined)[],
  what: string,
): Effect.Effect<readonly number[], InvalidGeneration> => {
  const known = perToken.filter((one) => one !== undefined)
  return known.length === 0 || known.length < perToken.length ? missing(what) : Effect.succeed(known)
}

const missing = (what: string, error?: RemoteFailed): Effect.Effect<never, InvalidGeneration> =>
  Effect.fail(
    new InvalidGeneration({
      message: `the remote model's server offers no ${what}`,
      field: "score",
      expected: "`echo` with `logprobs` in /completions, or vLLM",
      found: error === undefined ? "none" : `status ${error.status}: ${error.found ?? ""}`,
      hint: "score with a local model",
    }),
  )
