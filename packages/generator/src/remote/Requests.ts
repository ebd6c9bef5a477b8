import { checkedOptions } from "../CheckedOptions.ts"
import { InvalidGeneration, InvalidPrompt } from "../Errors.ts"
import type { Decoding, GenerateOptions, Message, ModelInput, OutputFormat } from "../Generator.ts"
import type { Endpoint, Server } from "./OpenAiOptions.ts"

/** A request that writes: where it is sent, and what. */
export interface WriteRequest {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  readonly sequences: number
}

/** How a server calls what OpenAI's interface lacks, with the values that change nothing. */
const extensions: Readonly<
  Record<
    Server,
    { readonly neutral: Readonly<Record<string, unknown>>; readonly topK?: string; readonly penalty?: string }
  >
> = {
  openai: { neutral: {} },
  vllm: { neutral: { top_k: -1, min_p: 0, repetition_penalty: 1 }, topK: "top_k", penalty: "repetition_penalty" },
  "llama.cpp": {
    neutral: { top_k: 0, min_p: 0, repeat_penalty: 1, repeat_last_n: -1 },
    topK: "top_k",
    penalty: "repeat_penalty",
  },
}

/** The request for one input. What the interface cannot say ends in `InvalidGeneration`, token ids in `InvalidPrompt`. */
export const writeRequest = (endpoint: Endpoint, input: ModelInput, options: GenerateOptions): WriteRequest => {
  const { decoding, maxTokens, repetitionPenalty, stop, format } = checkedOptions(options)
  const { neutral, penalty } = extensions[endpoint.server]
  if (repetitionPenalty !== 1 && penalty === undefined) throw unknown("repetitionPenalty", repetitionPenalty)
  if (format !== undefined && typeof input === "string") throw formatOfText()
  const { place, asked } = target(endpoint, input)
  const { sequences, chosen } = choice(endpoint.server, decoding)
  return {
    path: place,
    sequences,
    body: {
      model: endpoint.model,
      ...asked,
      max_tokens: maxTokens,
      ...neutral,
      ...(penalty === undefined ? {} : { [penalty]: repetitionPenalty }),
      ...chosen,
      ...(stop.length === 0 ? {} : { stop }),
      ...(format === undefined ? {} : { response_format: responseFormat(format) }),
      ...endpoint.parameters,
    },
  }
}

/** An answer's form as `/chat/completions` takes it. */
const responseFormat = (format: OutputFormat): Readonly<Record<string, unknown>> => {
  if (format.kind === "object") return { type: "json_object" }
  const { name, schema } = format
  return { type: "json_schema", json_schema: { name, strict: true, schema } }
}

const formatOfText = (): InvalidGeneration =>
  new InvalidGeneration({
    message: "the interface gives the answer to a text no `format`",
    field: "format",
    expected: "a conversation",
    found: "a text",
  })

/** Where an input goes: conversations to one place, texts to another. */
const target = ({ logprobs }: Endpoint, input: ModelInput) => {
  if (typeof input === "string") {
    return { place: "/completions", asked: { prompt: input, ...(logprobs ? { logprobs: 1 } : {}) } }
  }
  if ("ids" in input) throw tokensGiven("a prompt")
  return { place: "/chat/completions", asked: { messages: plain(input), ...(logprobs ? { logprobs: true } : {}) } }
}

/** The messages' two fields alone. */
export const plain = (messages: readonly Message[]): readonly Message[] =>
  messages.map(({ role, content }) => ({ role, content }))

export const tokensGiven = (what: string): InvalidPrompt =>
  new InvalidPrompt({
    message: `${what} is token ids, which only a local model reads`,
    expected: "a text or a conversation",
  })

const choice = (server: Server, decoding: Decoding) => {
  if (decoding.kind === "greedy") return { sequences: 1, chosen: { temperature: 0 } }
  if (decoding.kind === "beam") {
    throw new InvalidGeneration({
      message: "a remote model has no beam search",
      field: "decoding",
      expected: "greedy or sample",
      found: "beam",
    })
  }
  const { temperature = 1, topK, topP = 1, seed = 0, sequences = 1 } = decoding
  const field = extensions[server].topK
  if (topK !== undefined && field === undefined) throw unknown("topK", topK)
  return {
    sequences,
    chosen: {
      temperature,
      top_p: topP,
      seed,
      ...(sequences === 1 ? {} : { n: sequences }),
      ...(topK === undefined || field === undefined ? {} : { [field]: topK }),
    },
  }
}

const unknown = (field: string, found: number): InvalidGeneration =>
  new InvalidGeneration({
    message: `OpenAI's interface has no \`${field}\``,
    field,
    found: `${found}`,
    hint: "name the `server` where it is vllm or llama.cpp",
  })
