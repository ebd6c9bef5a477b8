import { Effect, Result, Schema, SchemaIssue } from "effect"
import { defaultFormats } from "./DefaultFormats.ts"
import { InvalidDatagenSettings } from "./Errors.ts"

const withDefault = <S extends Schema.Top & { readonly EncodingServices: never }>(schema: S, value: S["Encoded"]) =>
  Schema.withDecodingDefaultKey<S>(Effect.succeed(value))(schema)

const count = Schema.Number.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(1))
const whole = Schema.Number.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))
const share = Schema.Number.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThanOrEqualTo(1))
const notNegative = Schema.Number.check(Schema.isGreaterThanOrEqualTo(0))
const positive = Schema.Number.check(Schema.isGreaterThan(0))

/** Where documents are read, prompts looked for, and results written. */
const PathSettings = Schema.Struct({
  input_dir: Schema.String,
  output_dir: Schema.String,
  /** Prompts that hold where `prompts` has none; those of this package where absent. */
  default_prompts: Schema.optionalKey(Schema.String),
  /** A folder of one's own prompts, which is looked in first. */
  prompts: Schema.optionalKey(Schema.String),
})

const server = withDefault(Schema.Literals(["openai", "vllm", "llama.cpp"]), "openai")

/**
 * The two models. Where a model has no `base_url` it is one of this project's own: a folder, a hub id or `tiny:SEED`. A key
 * is the name of the environment variable that holds it, with or without `$`.
 */
const ApiSettings = Schema.Struct({
  small_model: Schema.String,
  small_base_url: Schema.optionalKey(Schema.String),
  small_api_key: Schema.optionalKey(Schema.String),
  small_server: server,
  large_model: Schema.String,
  large_base_url: Schema.optionalKey(Schema.String),
  large_api_key: Schema.optionalKey(Schema.String),
  large_server: server,
  /** Most requests and tokens (prompt and answer) that a model is given in a minute; none where absent. */
  small_requests_per_minute: Schema.optionalKey(count),
  small_tokens_per_minute: Schema.optionalKey(count),
  large_requests_per_minute: Schema.optionalKey(count),
  large_tokens_per_minute: Schema.optionalKey(count),
  /** Longest answers, in tokens. */
  small_max_tokens: withDefault(count, 1024),
  large_max_tokens: withDefault(count, 4096),
  temperature: withDefault(positive, 0.8),
  /** `schema`: a JSON schema goes along; `object`: any JSON object is asked for; `text`: prompts alone ask for it. */
  structured_output: withDefault(Schema.Literals(["schema", "object", "text"]), "schema"),
  /** Longest silence of an endpoint, in seconds. */
  timeout: withDefault(positive, 120),
  /** Most times that a request is sent again after 408, 429, 5xx or a broken connection. */
  retries: withDefault(whole, 6),
  /** The first wait between two tries, in seconds; each later one is twice as long. */
  retry_delay: withDefault(positive, 0.5),
  /** Most times that a model is asked again, with what was wrong, after an answer that cannot be used. */
  corrections: withDefault(whole, 2),
  /** Seconds without any answer of a model, all its retries in vain, after which the run stops; it can be resumed. */
  give_up_after: withDefault(positive, 900),
})

const SystemSettings = Schema.Struct({
  /** Tokens of the tokenizer. */
  chunk_size: withDefault(count, 1900),
  chunk_overlap: withDefault(whole, 0),
  /** A folder or hub id whose tokens chunks are measured in; a count of words and characters where absent. */
  tokenizer: Schema.optionalKey(Schema.String),
  concurrency_limit: withDefault(count, 50),
  use_subset: withDefault(Schema.Boolean, true),
  subset_size: withDefault(count, 30),
  seed: withDefault(Schema.Number.check(Schema.isInt()), 11037),
  rag_failure_percentage: withDefault(share, 0.4),
  rag_max_chunks: withDefault(count, 3),
  /** Where distractors come from: drawn, or those that look most like the true chunk. */
  retrieval_mode: withDefault(Schema.Literals(["random", "hard"]), "random"),
  /** An encoder whose neighbours are hard distractors, too: a folder, a hub id or a run. */
  retrieval_encoder: Schema.optionalKey(Schema.String),
  /** What happens where too few chunks are left to draw from. */
  too_few_chunks: withDefault(Schema.Literals(["error", "fewer"]), "error"),
  /** What an answer does where retrieval failed. */
  failure_behavior: withDefault(Schema.Literals(["from_memory", "abstain"]), "from_memory"),
  /** Share of items whose questions need two or three related chunks. */
  multi_chunk_share: withDefault(share, 0),
  /** The language of prompts; those that this package has are named in its `prompts` folder. */
  language: withDefault(Schema.String, "en"),
  /** Models write an answer's thoughts, too, which stay apart from it. */
  write_thoughts: withDefault(Schema.Boolean, false),
  num_items_per_group: withDefault(count, 3),
  /** Rows train the questions of their item, not its answers alone. */
  train_on_questions: withDefault(Schema.Boolean, true),
  /** Rows train a reasoning model's thoughts. */
  train_on_thoughts: withDefault(Schema.Boolean, false),
  final_assistant_prompts: withDefault(Schema.Array(Schema.String).check(Schema.isMinLength(1)), [
    defaultFormats.prompt,
  ]),
  system_format: withDefault(Schema.String, defaultFormats.system),
  user_format: withDefault(Schema.String, defaultFormats.user),
  assistant_format: withDefault(Schema.String, defaultFormats.assistant),
  bos: withDefault(Schema.String, ""),
  /** What ends an answer, of the model that is trained, as `</s>`: without it a model does not learn to stop. */
  eos: withDefault(Schema.String, ""),
})

const SkipSettings = Schema.Struct({ skip_filter_chunks: withDefault(Schema.Boolean, false) })

/** Prices of a million tokens, and the most that a run may cost, in the same money. */
const CostSettings = Schema.Struct({
  small_input: withDefault(notNegative, 0),
  small_output: withDefault(notNegative, 0),
  large_input: withDefault(notNegative, 0),
  large_output: withDefault(notNegative, 0),
  budget: Schema.optionalKey(notNegative),
})

/** What answers are checked for. */
const VerifySettings = Schema.Struct({
  quotes: withDefault(Schema.Boolean, true),
  citations: withDefault(Schema.Boolean, true),
  /** A model judges whether each claim is grounded in what was shown. */
  judge: withDefault(Schema.Boolean, false),
  /** A question has to find its chunk among all chunks. */
  round_trip: withDefault(Schema.Boolean, false),
})

/** The pipeline's own prompts and replies as training data. */
const MetaSettings = Schema.Struct({ do_meta_datagen: withDefault(Schema.Boolean, false) })

/** Everything that decides a pipeline, by the names and sections of its YAML file. */
export const DatagenSettings = Schema.Struct({
  path: PathSettings,
  api: ApiSettings,
  system: withDefault(SystemSettings, {}),
  skip: withDefault(SkipSettings, {}),
  cost: withDefault(CostSettings, {}),
  verify: withDefault(VerifySettings, {}),
  meta_datagen: withDefault(MetaSettings, {}),
})
export type DatagenSettings = typeof DatagenSettings.Type

const decode = Schema.decodeUnknownResult(DatagenSettings, { onExcessProperty: "error" })
const format = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * Settings out of a parsed YAML or JSON file, defaults filled in. A key that no setting has and a value that is none of its
 * setting's end in `InvalidDatagenSettings`, which names it as `system.chunk_size`.
 */
export const readDatagenSettings = (
  value: unknown,
  file?: string,
): Effect.Effect<DatagenSettings, InvalidDatagenSettings> => {
  const result = decode(value)
  if (Result.isSuccess(result)) return Effect.succeed(result.success)
  const first = format(result.failure.issue).issues[0]
  const field = (first?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
  const found = valueAt(value, first?.path ?? [])
  // What no setting is known by may be a key itself, as configurations of other programs hold them.
  const isUnknown = first?.message.includes("excess") === true
  const isSecret = isUnknown || field.endsWith("api_key") || (typeof found === "object" && found !== null)
  return Effect.fail(
    new InvalidDatagenSettings({
      message: field === "" ? "these are no settings" : `\`${field}\` cannot be used`,
      ...(file === undefined ? {} : { file }),
      ...(field === "" ? {} : { field }),
      expected: (first?.message ?? "settings").replace(/^Expected /, ""),
      ...(isSecret ? {} : { found: shown(found) }),
    }),
  )
}

const valueAt = (value: unknown, path: readonly (PropertyKey | { readonly key: PropertyKey })[]): unknown =>
  path.reduce<unknown>((inner, part) => {
    const key = typeof part === "object" ? part.key : part
    return typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined
  }, value)

const shown = (value: unknown): string => (value === undefined ? "nothing" : JSON.stringify(value).slice(0, 80))
