import { Effect, Schema } from "effect"

const count = Schema.Number.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(1))
const whole = Schema.Number.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))
const positive = Schema.Number.check(Schema.isGreaterThan(0))

/**
 * Everything that decides a run of `tandem dpr train`, by the names of its flags in camel case.
 * Defaults are those of docs/formats.md; a key that is absent and has no default means "as the model or data say".
 */
export const DprSettings = Schema.Struct({
  /** Files of training examples. */
  data: Schema.Array(Schema.String),
  /** Files of evaluation examples; without any, nothing is evaluated. */
  dev: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  /** Passages that the examples' ids speak of, where the examples do not carry them. */
  corpus: Schema.optionalKey(Schema.String),
  format: Schema.optionalKey(Schema.String),
  /** One model for both towers: a folder, a hub id, or `tiny[:seed]`. */
  model: Schema.optionalKey(Schema.String),
  queryEncoder: Schema.optionalKey(Schema.String),
  passageEncoder: Schema.optionalKey(Schema.String),
  /** Two towers that start from the same model. */
  untied: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
  /** A finished run, or a folder with `retriever/`: its encoders are trained on. */
  retriever: Schema.optionalKey(Schema.String),
  /** The run folder. */
  out: Schema.String,
  /** Where hard negatives come from; `data` takes those that the examples bring, if they bring any. */
  negatives: Schema.Literals(["data", "same-document", "bm25", "none"]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("data" as const)),
  ),
  /** Hard negatives for each question. */
  hardNegatives: whole.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  epochs: count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  maxSteps: Schema.optionalKey(count),
  batchSize: count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(16))),
  accumulate: count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  /** Longest passage (and question) in tokens; the model's own where absent, at most 256. */
  maxLength: Schema.optionalKey(count),
  lr: positive.pipe(Schema.withDecodingDefaultKey(Effect.succeed(2e-5))),
  /** A share of the steps below 1, or a number of steps. */
  warmup: Schema.Number.check(Schema.isGreaterThanOrEqualTo(0)).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(0.1)),
  ),
  schedule: Schema.Literals(["linear", "cosine", "constant"]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("linear" as const)),
  ),
  weightDecay: Schema.Number.check(Schema.isGreaterThanOrEqualTo(0)).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(0.01)),
  ),
  /** Largest norm of the gradient; 0 for no limit. */
  clip: Schema.Number.check(Schema.isGreaterThanOrEqualTo(0)).pipe(Schema.withDecodingDefaultKey(Effect.succeed(1))),
  /** A dropout rate, or `model` for the rates of the model's own config. */
  dropout: Schema.Union([
    Schema.Literal("model"),
    Schema.Number.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThan(1)),
  ]).pipe(Schema.withDecodingDefaultKey(Effect.succeed("model" as const))),
  /** The model's own where absent: cosine where its vectors are normalised, else dot. */
  similarity: Schema.optionalKey(Schema.Literals(["dot", "cosine"])),
  /** 1 for dot, .05 for cosine where absent. */
  temperature: Schema.optionalKey(positive),
  /** Passages also choose among questions. */
  symmetric: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
  /** How the encoder sees a passage's title; `pair` for DPR models and `none` for others where absent. */
  titles: Schema.optionalKey(Schema.Literals(["pair", "prefix", "none"])),
  /** Name patterns of parameters that stay as they are. */
  freeze: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  seed: whole.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  device: Schema.Literals(["cpu", "webgpu", "cuda", "auto"]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("cpu" as const)),
  ),
  threads: Schema.optionalKey(count),
  /** Steps between checkpoints. */
  saveEvery: count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(500))),
  /** Steps between evaluations; once an epoch where absent. */
  evalEvery: Schema.optionalKey(count),
  /** Evaluations without a better one after which training ends. */
  patience: Schema.optionalKey(count),
  resume: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false))),
  /** Sizes of a `tiny` model. */
  tiny: Schema.optionalKey(
    Schema.Struct({
      hidden: count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(128))),
      layers: count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(2))),
      heads: count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(4))),
      intermediate: count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(512))),
      vocabulary: count.pipe(Schema.withDecodingDefaultKey(Effect.succeed(4000))),
    }),
  ),
})
export type DprSettings = typeof DprSettings.Type
