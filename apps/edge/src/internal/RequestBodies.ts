import { Schema } from "effect"

/** Absent, or `null`, which some clients write in its place. */
const maybe = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1), Schema.isLessThanOrEqualTo(1_000_000))
const text = Schema.NonEmptyString

/** `/retrieve` */
export const RetrieveBody = Schema.Struct({
  query: maybe(text),
  queries: maybe(Schema.NonEmptyArray(text)),
  k: maybe(count),
})

/** `/ask` */
export const AskBody = Schema.Struct({
  query: text,
  k: maybe(count),
  max_tokens: maybe(count),
  stream: maybe(Schema.Boolean),
})

/** What OpenAI's interface lets clients note beside a request, and which changes nothing here. */
const noted = {
  user: maybe(Schema.String),
  metadata: maybe(Schema.Record(Schema.String, Schema.Unknown)),
  store: maybe(Schema.Boolean),
  service_tier: maybe(Schema.String),
  safety_identifier: maybe(Schema.String),
  prompt_cache_key: maybe(Schema.String),
}

/** `/v1/embeddings` */
export const EmbeddingsBody = Schema.Struct({
  model: text,
  input: Schema.Union([text, Schema.NonEmptyArray(text)]),
  encoding_format: maybe(Schema.Literals(["float", "base64"])),
  dimensions: maybe(count),
  /** Whether the texts are questions or passages, for models that tell them apart. */
  input_type: maybe(Schema.Literals(["query", "passage"])),
  ...noted,
})

const none = Schema.Tuple([])

const Part = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

/** A turn of a conversation. */
export const ChatMessage = Schema.Struct({
  role: Schema.Literals(["system", "developer", "user", "assistant"]),
  content: Schema.Union([Schema.String, Schema.NonEmptyArray(Part)]),
  name: maybe(Schema.String),
  /** Clients send back what they were given. */
  refusal: maybe(Schema.Null),
})

/** `/v1/chat/completions`. Answers are the likeliest: what would draw others is there with the values that draw none. */
export const ChatBody = Schema.Struct({
  model: text,
  messages: Schema.NonEmptyArray(ChatMessage),
  stream: maybe(Schema.Boolean),
  stream_options: maybe(
    Schema.Struct({ include_usage: maybe(Schema.Boolean), include_obfuscation: maybe(Schema.Boolean) }),
  ),
  max_tokens: maybe(count),
  max_completion_tokens: maybe(count),
  logprobs: maybe(Schema.Boolean),
  seed: maybe(Schema.Int),
  n: maybe(Schema.Literal(1)),
  temperature: maybe(Schema.Literal(0)),
  top_p: maybe(Schema.Literal(1)),
  top_logprobs: maybe(Schema.Literal(0)),
  presence_penalty: maybe(Schema.Literal(0)),
  frequency_penalty: maybe(Schema.Literal(0)),
  response_format: maybe(Schema.Struct({ type: Schema.Literal("text") })),
  stop: maybe(none),
  tools: maybe(none),
  /** Passages that are read for the question. */
  k: maybe(count),
  ...noted,
})
