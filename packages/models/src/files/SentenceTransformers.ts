import type { Similarity } from "@tandem/onnx"
import { InvalidEncoder, UnsupportedEncoder } from "../Errors.ts"
import type { Pooling, Prompts } from "../encoder/Encoder.ts"
import { isRecord } from "../internal/Record.ts"

/** One line of `modules.json`: a step from text to embedding and the folder of its settings. */
export interface Module {
  readonly kind: "Transformer" | "Pooling" | "Normalize"
  readonly path: string
}

const kinds = ["Transformer", "Pooling", "Normalize"] as const

/**
 * The modules of a sentence-transformers model. Any other kind than transformer, pooling and normalisation, or another
 * order, ends in `UnsupportedEncoder`.
 */
export const readModules = (list: readonly unknown[], file = "modules.json"): readonly Module[] => {
  const modules = list.map((entry): Module => {
    const type = isRecord(entry) ? entry["type"] : undefined
    const path = isRecord(entry) ? entry["path"] : undefined
    if (typeof type !== "string" || typeof path !== "string" || /(^|[/\\])\.\.([/\\]|$)|^[/\\]/.test(path)) {
      throw new InvalidEncoder({
        message: "an entry of the list of modules has no type or no path inside the folder",
        file,
        found: JSON.stringify(entry),
      })
    }
    const kind = kinds.find((name) => type.split(".").at(-1) === name)
    if (kind === undefined) {
      throw new UnsupportedEncoder({
        message: `the model needs a module of type ${type}`,
        file,
        expected: kinds.join(", "),
        found: type,
      })
    }
    return { kind, path }
  })
  const order = modules.map((module) => module.kind).join()
  if (order !== "Transformer,Pooling" && order !== "Transformer,Pooling,Normalize") {
    throw new UnsupportedEncoder({
      message: "the model's modules stand in another order than is supported",
      file,
      expected: "Transformer, Pooling, and maybe Normalize",
      found: order,
    })
  }
  return modules
}

const modes: Readonly<Record<string, Pooling["mode"]>> = {
  cls: "cls",
  cls_token: "cls",
  mean: "mean",
  mean_tokens: "mean",
  max: "max",
  max_tokens: "max",
  lasttoken: "last",
}

/** The pooling mode of `1_Pooling/config.json`, as today's and older versions write it. */
export const readPoolingMode = (
  json: Readonly<Record<string, unknown>>,
  file = "1_Pooling/config.json",
): Pooling["mode"] => {
  const { pooling_mode: named } = json
  const flagged = Object.keys(json).filter((key) => key.startsWith("pooling_mode_") && json[key] === true)
  const asked = typeof named === "string" ? [named] : flagged.map((key) => key.slice("pooling_mode_".length))
  const mode = asked.length === 1 ? modes[asked[0] ?? ""] : undefined
  if (mode !== undefined) return mode
  throw new UnsupportedEncoder({
    message: "the model pools its tokens in a way that is not supported",
    file,
    field: "pooling_mode",
    expected: "one of mean, cls, max, lasttoken",
    found: asked.length === 0 ? "none" : asked.join(", "),
  })
}

/**
 * The prompts of `config_sentence_transformers.json`: `query` before queries, `document` (or `passage`, `corpus`)
 * before passages, and the default prompt, if one is named, where these are missing.
 */
export const readPrompts = (json: Readonly<Record<string, unknown>>): Prompts => {
  const { prompts, default_prompt_name: fallback } = json
  const find = (...names: readonly string[]): string => {
    if (!isRecord(prompts)) return ""
    const texts = [...names, ...(typeof fallback === "string" ? [fallback] : [])].map((name) => prompts[name])
    return texts.find((text): text is string => typeof text === "string") ?? ""
  }
  return { query: find("query"), passage: find("document", "passage", "corpus") }
}

/** Files in which versions of sentence-transformers state the length limit, in the order in which it looks for them. */
export const limitFiles = [
  "sentence_bert_config.json",
  "sentence_roberta_config.json",
  "sentence_distilbert_config.json",
  "sentence_camembert_config.json",
  "sentence_albert_config.json",
  "sentence_xlm-roberta_config.json",
  "sentence_xlnet_config.json",
] as const

/**
 * How `config_sentence_transformers.json` says that embeddings are compared (`similarity_fn_name`); undefined where it does
 * not say. Distances end in `UnsupportedEncoder`.
 */
export const readSimilarity = (
  json: Readonly<Record<string, unknown>>,
  file = "config_sentence_transformers.json",
): Similarity | undefined => {
  const name = json["similarity_fn_name"] ?? undefined
  if (name === undefined || name === "cosine" || name === "dot") return name
  if (name === "dot_product") return "dot"
  throw new UnsupportedEncoder({
    message: "the model compares embeddings in a way that is not supported",
    file,
    field: "similarity_fn_name",
    expected: "cosine or dot",
    found: String(name),
    hint: "if the model's embeddings may be compared otherwise, change the field in a copy of the folder",
  })
}

/** What `sentenceTransformersFiles` describes. */
export interface SentenceTransformersSettings {
  readonly pooling: Pooling
  readonly prompts: Prompts
  readonly maxLength: number
  readonly embeddingSize: number
  /** How embeddings are compared; by cosine where they are normalised and nothing is said, else by dot product. */
  readonly similarity?: Similarity | undefined
}

/** How embeddings are compared where a model's files say no more than whether they are of unit length. */
export const similarityOf = ({ normalize }: Pooling): Similarity => (normalize ? "cosine" : "dot")

/** The files that make sentence-transformers use a model with these settings, by path. */
export const sentenceTransformersFiles = (
  settings: SentenceTransformersSettings,
): Readonly<Record<string, unknown>> => {
  const { pooling, prompts, maxLength, embeddingSize, similarity = similarityOf(pooling) } = settings
  const name = "sentence_transformers.models"
  const modules = ["Transformer", "Pooling", ...(pooling.normalize ? ["Normalize"] : [])].map((kind, idx) => ({
    idx,
    name: `${idx}`,
    path: idx === 0 ? "" : `${idx}_${kind}`,
    type: `${name}.${kind}`,
  }))
  return {
    "modules.json": modules,
    "sentence_bert_config.json": { max_seq_length: maxLength, do_lower_case: false },
    "config_sentence_transformers.json": {
      prompts: { query: prompts.query, document: prompts.passage },
      default_prompt_name: null,
      similarity_fn_name: similarity,
    },
    "1_Pooling/config.json": {
      word_embedding_dimension: embeddingSize,
      pooling_mode_cls_token: pooling.mode === "cls",
      pooling_mode_mean_tokens: pooling.mode === "mean",
      pooling_mode_max_tokens: pooling.mode === "max",
      pooling_mode_mean_sqrt_len_tokens: false,
      pooling_mode_weightedmean_tokens: false,
      pooling_mode_lasttoken: pooling.mode === "last",
      include_prompt: true,
    },
  }
}
