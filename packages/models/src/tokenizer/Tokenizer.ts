import { Tokenizer as Library } from "@huggingface/tokenizers"
import { type Tensor, tensor } from "@tandem/onnx"
import { InvalidTokenizer } from "../Errors.ts"
import { isRecord } from "../internal/Record.ts"
import { alignMerges } from "./BytePairs.ts"
import { alignNormalizer } from "./Normalizers.ts"

/** A text, or a pair of texts such as a title and a passage. */
export type Text = string | readonly [first: string, second: string]

/** How a text is cut to the maximum length: from the longer of two texts first, or from the second alone. */
export type Truncation = "longest-first" | "only-second"

/** Token ids of one text, special tokens included. */
export interface Encoded {
  readonly ids: readonly number[]
  /** Segment of each token: 0 for the first text, 1 for the second where the model tells them apart. */
  readonly types: readonly number[]
  /** Tokens that were cut off; 0 where the text fitted. */
  readonly cut: number
}

/** Rows of one length in row-major order; what a row lacks is filled with the padding token and mask 0. */
export interface EncodedBatch {
  readonly rows: number
  readonly tokens: number
  readonly ids: Int32Array
  readonly mask: Int32Array
  readonly types: Int32Array
  /** Real tokens of each row. */
  readonly lengths: readonly number[]
  /** Number of texts that were cut. */
  readonly cut: number
}

export interface EncodeOptions {
  readonly maxLength?: number
  readonly truncation?: Truncation
  readonly specialTokens?: boolean
}

export interface BatchOptions extends EncodeOptions {
  /** Width of the rows; the longest row's where absent. */
  readonly tokens?: number
}

/** The two JSON documents that describe a tokenizer, `tokenizer.json` and `tokenizer_config.json`, and what lies beside them. */
export interface TokenizerFiles {
  readonly tokenizer: Readonly<Record<string, unknown>>
  readonly config: Readonly<Record<string, unknown>>
  /** The text of `chat_template.jinja`, which goes before the `chat_template` of the config. */
  readonly chatTemplate?: string
}

/** Turns texts into token ids and back. */
export interface Tokenizer {
  readonly vocabularySize: number
  readonly padTokenId: number
  /** The token with the largest id. */
  readonly lastToken: { readonly token: string; readonly id: number }
  readonly files: TokenizerFiles
  readonly encode: (text: Text, options?: EncodeOptions) => Encoded
  readonly encodeBatch: (texts: readonly Text[], options?: BatchOptions) => EncodedBatch
  readonly decode: (ids: readonly number[]) => string
  readonly tokenId: (token: string) => number | undefined
}

/**
 * A tokenizer over its Hugging Face files, by transformers.js' own tokenizer library. Texts are cut as Python's
 * `tokenizers` does it: before the special tokens are put around them, which always stay.
 *
 * Unusable files end in `InvalidTokenizer`; so does `only-second` where the first text alone leaves no room.
 *
 * @example
 * ```ts
 * import { makeTokenizer, trainWordPiece } from "@tandem/models"
 *
 * const tokenizer = makeTokenizer(trainWordPiece(["the river was long"], { vocabularySize: 60 }))
 * console.log(tokenizer.encode("the river").ids)
 * ```
 */
export const makeTokenizer = (files: TokenizerFiles, file = "tokenizer.json"): Tokenizer => {
  const library = openLibrary(files, file)
  const padToken = contentOf(files.config["pad_token"]) ?? "[PAD]"
  const padTokenId = library.token_to_id(padToken) ?? 0
  const unknown = idOfUnknown(files)
  checkIds(files, unknown, file)
  const around = (first: string[], second: string[] | null, special: boolean): Framed => {
    if (library.post_processor === null) return plain(first, second)
    try {
      const { tokens, token_type_ids } = library.post_processor.post_process(first, second, special)
      return { tokens, types: token_type_ids ?? tokens.map(() => 0) }
    } catch (cause) {
      throw new InvalidTokenizer({
        message: `the tokenizer cannot put special tokens around ${second === null ? "a text" : "two texts"}: ${reasonOf(cause)}`,
        file,
        field: "post_processor",
      })
    }
  }
  const room = new Map<string, number>()
  const specialCount = (pair: boolean, special: boolean): number => {
    const key = `${pair}${special}`
    const known = room.get(key)
    if (known !== undefined) return known
    const count = around([], pair ? [] : null, special).tokens.length
    room.set(key, count)
    return count
  }

  const encode = (text: Text, options: EncodeOptions = {}): Encoded => {
    const { maxLength = Number.MAX_SAFE_INTEGER, truncation = "longest-first", specialTokens = true } = options
    const [a, b] = typeof text === "string" ? [text, undefined] : text
    const first = library.tokenize(a)
    const second = b === undefined ? null : library.tokenize(b)
    const space = maxLength - specialCount(second !== null, specialTokens)
    if (space < 0) throw tooShort(maxLength)
    const sizes = truncate(first.length, second?.length ?? 0, space, truncation)
    const cut = first.length + (second?.length ?? 0) - sizes.first - sizes.second
    const { tokens, types } = around(
      first.slice(0, sizes.first),
      second === null ? null : second.slice(0, sizes.second),
      specialTokens,
    )
    const ids = tokens.map((token) => library.token_to_id(token) ?? unknown)
    return { ids, types, cut }
  }

  const encodeBatch = (texts: readonly Text[], options: BatchOptions = {}): EncodedBatch => {
    const rows = texts.map((text) => encode(text, options))
    return pad(rows, padTokenId, options.tokens)
  }

  let size: number | undefined
  return {
    // The library makes a list anew of what it knows, which loading does not need.
    get vocabularySize(): number {
      const known = size ?? library.get_vocab(true).size
      size = known
      return known
    },
    padTokenId,
    lastToken: lastOf(library.model.vocab),
    files,
    encode,
    encodeBatch,
    decode: (ids) => (ids.length === 0 ? "" : library.decode([...ids], { skip_special_tokens: true })),
    tokenId: (token) => library.token_to_id(token),
  }
}

/** Lays rows of different lengths side by side. A row longer than `tokens` ends in `InvalidTokenizer`. */
export const pad = (rows: readonly Encoded[], padTokenId: number, tokens?: number): EncodedBatch => {
  const lengths = rows.map(({ ids }) => ids.length)
  const longest = lengths.reduce((a, b) => Math.max(a, b), 0)
  const width = tokens ?? longest
  if (longest > width) {
    throw new InvalidTokenizer({
      message: "a row is longer than the batch is wide",
      expected: `at most ${width} tokens`,
      found: `${longest}`,
    })
  }
  const ids = new Int32Array(rows.length * width).fill(padTokenId)
  const mask = new Int32Array(ids.length)
  const types = new Int32Array(ids.length)
  for (const [index, row] of rows.entries()) {
    ids.set(row.ids, index * width)
    types.set(row.types, index * width)
    mask.fill(1, index * width, index * width + row.ids.length)
  }
  return { rows: rows.length, tokens: width, ids, mask, types, lengths, cut: rows.filter((row) => row.cut > 0).length }
}

/** The `int64` inputs of an encoder for a batch, by name; `names` is `Encoder.inputs`. */
export const encoderInputs = (batch: EncodedBatch, names: readonly string[]): Readonly<Record<string, Tensor>> => {
  const dims = [batch.rows, batch.tokens]
  const wide = (values: Int32Array): Tensor => tensor("int64", dims, BigInt64Array.from(values, BigInt))
  const all: Readonly<Record<string, Int32Array>> = {
    input_ids: batch.ids,
    attention_mask: batch.mask,
    token_type_ids: batch.types,
  }
  return Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, wide(all[name])]])))
}

/** The kept lengths of two texts that share `space` tokens, as Python's `tokenizers` divides it. */
const truncate = (first: number, second: number, space: number, truncation: Truncation) => {
  if (first + second <= space) return { first, second }
  if (truncation === "only-second") {
    if (first >= space) throw tooShort(space)
    return { first, second: space - first }
  }
  const [short, long] = first <= second ? [first, second] : [second, first]
  const rest = short > space ? short : Math.max(short, space - short)
  const half = Math.floor(space / 2)
  const [keptShort, keptLong] = short + rest > space ? [half, half + (space % 2)] : [short, Math.min(long, rest)]
  return first <= second ? { first: keptShort, second: keptLong } : { first: keptLong, second: keptShort }
}

const tooShort = (length: number): InvalidTokenizer =>
  new InvalidTokenizer({
    message: "the maximum length leaves no room for the text",
    found: `${length}`,
    hint: "raise the maximum length",
  })

/** Tokens with their segments, special tokens put in. */
interface Framed {
  readonly tokens: readonly string[]
  readonly types: readonly number[]
}

const plain = (first: readonly string[], second: readonly string[] | null): Framed => ({
  tokens: [...first, ...(second ?? [])],
  types: [...first.map(() => 0), ...(second ?? []).map(() => 1)],
})

/** Tokens lie by their ids. */
const lastOf = (tokens: readonly string[]) => ({ token: tokens.at(-1) ?? "", id: tokens.length - 1 })

const openLibrary = (files: TokenizerFiles, file: string): Library => {
  try {
    const library = new Library(files.tokenizer, files.config)
    library.post_processor?.post_process([], null, true)
    alignNormalizer(library.normalizer, files.tokenizer["normalizer"])
    alignMerges(library.model, files.tokenizer["model"])
    return library
  } catch (cause) {
    throw new InvalidTokenizer({
      message: `the tokenizer cannot be used: ${reasonOf(cause)}`,
      file,
    })
  }
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Refuses ids that no table has a row for. */
const checkIds = ({ tokenizer }: TokenizerFiles, unknown: number, file: string): void => {
  const { model } = tokenizer
  const vocabulary = isRecord(model) && isRecord(model["vocab"]) ? model["vocab"] : {}
  const check = (token: string, id: unknown): void => {
    if (typeof id === "number" && Number.isSafeInteger(id) && id >= 0) return
    throw new InvalidTokenizer({
      message: `the vocabulary gives ${token} an id that is none`,
      file,
      field: "vocab",
      expected: "a whole number, 0 or more",
      found: `${id}`,
    })
  }
  for (const token of Object.keys(vocabulary)) check(token, vocabulary[token])
  check("the unknown token", unknown)
}

/** The text of a special token, which configs write as a string or as an object. */
const contentOf = (token: unknown): string | undefined => {
  if (typeof token === "string") return token
  const content = isRecord(token) ? token["content"] : undefined
  return typeof content === "string" ? content : undefined
}

const idOfUnknown = ({ tokenizer }: TokenizerFiles): number => {
  const model = tokenizer["model"]
  if (!isRecord(model)) return 0
  const { unk_token: token, unk_id: id, vocab } = model
  if (typeof id === "number") return id
  const found = isRecord(vocab) && typeof token === "string" ? vocab[token] : undefined
  return typeof found === "number" ? found : 0
}
