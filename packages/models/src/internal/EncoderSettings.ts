import { fileName, type ReadFiles } from "@tandem/files"
import { Effect } from "effect"
import { UnsupportedEncoder } from "../Errors.ts"
import { bertType } from "../encoder/BertTypes.ts"
import type { Pooling } from "../encoder/Encoder.ts"
import {
  limitFiles,
  type Module,
  readModules,
  readPoolingMode,
  readPrompts,
  readSimilarity,
} from "../files/SentenceTransformers.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import { attempt } from "./Attempt.ts"
import { maxLengthOf } from "./MaxLength.ts"
import { exists, firstFile, readJson, readJsonIfThere, readJsonList } from "./Reading.ts"
import { isRecord } from "./Record.ts"

/** The modules of a sentence-transformers folder; undefined where it lists none. */
export const readModuleList = Effect.fnUntraced(function* (files: ReadFiles) {
  const name = "modules.json"
  if (!(yield* exists(files, name))) return undefined
  const list = yield* readJsonList(files, name)
  return yield* attempt(() => readModules(list, fileName(files, name)))
})

/** Whether the tokenizer makes all letters small. */
export const lowersCase = ({ files }: Tokenizer): boolean => {
  const normalizer = files.tokenizer["normalizer"]
  const lowers = isRecord(normalizer) && (normalizer["lowercase"] === true || normalizer["type"] === "Lowercase")
  return lowers || files.config["do_lower_case"] === true
}

/** What settings are read from. */
interface Places {
  readonly files: ReadFiles
  /** The folder of config, tokenizer and limits. */
  readonly transformer: ReadFiles
  readonly modules: readonly Module[] | undefined
  readonly huggingFace: Readonly<Record<string, unknown>>
  readonly tokenizer: Tokenizer
}

/** Pooling, prompts, length and similarity as the sentence-transformers files say. */
export const encoderSettings = Effect.fnUntraced(function* (places: Places) {
  const { files, transformer, modules, huggingFace, tokenizer } = places
  const limitFile = (yield* firstFile(transformer, limitFiles)) ?? limitFiles[0]
  const limits = (yield* readJsonIfThere(transformer, limitFile)) ?? {}
  const sentenceFile = "config_sentence_transformers.json"
  const sentence = (yield* readJsonIfThere(files, sentenceFile)) ?? {}
  const maxLength =
    maxLengthOf(limits["max_seq_length"]) ??
    maxLengthOf(tokenizer.files.config["model_max_length"]) ??
    Number.MAX_SAFE_INTEGER
  if (limits["do_lower_case"] === true && !lowersCase(tokenizer)) {
    return yield* new UnsupportedEncoder({
      message: "the model wants lower-cased texts and its tokenizer keeps the case",
      file: fileName(transformer, limitFile),
      field: "do_lower_case",
    })
  }
  const prompts = readPrompts(sentence)
  const similarity = yield* attempt(() => readSimilarity(sentence, fileName(files, sentenceFile)))
  const plain: Pooling = { mode: bertType(huggingFace)?.pooling ?? "mean", normalize: false }
  if (modules === undefined) return { maxLength, prompts, similarity, pooling: plain }
  const path = modules.find((module) => module.kind === "Pooling")?.path ?? ""
  const poolingPath = path === "" ? "config.json" : `${path}/config.json`
  const poolingFile = fileName(files, poolingPath)
  const json = yield* readJson(files, poolingPath)
  if (json["include_prompt"] === false && prompts.query + prompts.passage !== "") {
    return yield* new UnsupportedEncoder({
      message: "the model leaves its prompts out of pooling",
      file: poolingFile,
      field: "include_prompt",
    })
  }
  const mode = yield* attempt(() => readPoolingMode(json, poolingFile))
  const normalize = modules.some((module) => module.kind === "Normalize")
  return { maxLength, prompts, similarity, pooling: { mode, normalize } }
})
