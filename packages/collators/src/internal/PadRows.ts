import { type Tensor, tensor } from "@tandem/onnx"
import type { Bucket } from "../Buckets.ts"
import { InvalidBatch } from "../Errors.ts"
import type { TokenizedText } from "../TokenizedText.ts"

/** Rows of one width as an encoder's inputs. */
export interface PaddedRows {
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly tokens: number
  readonly realTokens: number
}

interface PadOptions {
  readonly padTokenId: number
  readonly bucket: Bucket
  readonly inputs: readonly string[]
}

/** Length of the rows that texts are padded to. */
export const paddedLength = (name: string, texts: readonly Pick<TokenizedText, "ids">[], bucket: Bucket): number => {
  const longest = texts.reduce((length, { ids }) => Math.max(length, ids.length), 0)
  const tokens = bucket(longest)
  if (Number.isSafeInteger(tokens) && tokens >= longest && tokens > 0) return tokens
  throw new InvalidBatch({
    message: `the bucket for the ${name} rows does not hold the longest of them`,
    field: "bucket",
    expected: `a whole number of at least ${Math.max(1, longest)}`,
    found: `${tokens}`,
  })
}

/** Lays texts side by side, padded on the right, under the names `PREFIX.INPUT`. */
export const padRows = (prefix: string, texts: readonly TokenizedText[], options: PadOptions): PaddedRows => {
  const { padTokenId, bucket, inputs } = options
  const tokens = paddedLength(prefix, texts, bucket)
  for (const [row, { ids, types }] of texts.entries()) {
    if (ids.length > 0 && (types === undefined || types.length === ids.length)) continue
    throw new InvalidBatch({
      message: `text ${row} of the ${prefix} rows has no tokens, or not one segment for each`,
      field: `${prefix}[${row}]`,
      found: `${ids.length} ids, ${types?.length ?? "no"} segments`,
    })
  }
  const dims = [texts.length, tokens]
  const filled = (padding: number, values: (text: TokenizedText) => ArrayLike<number> | undefined): Tensor => {
    const data = new BigInt64Array(texts.length * tokens).fill(BigInt(padding))
    for (const [row, text] of texts.entries()) {
      const given = values(text)
      if (given === undefined) continue
      for (let at = 0; at < given.length; at++) data[row * tokens + at] = BigInt(given[at]!)
    }
    return tensor("int64", dims, data)
  }
  const makers: Readonly<Record<string, () => Tensor>> = {
    input_ids: () => filled(padTokenId, ({ ids }) => ids),
    attention_mask: () => filled(0, ({ ids }) => new Uint8Array(ids.length).fill(1)),
    token_type_ids: () => filled(0, ({ types }) => types),
  }
  const tensors = Object.fromEntries(
    inputs.map((name) => {
      const make = Object.hasOwn(makers, name) ? makers[name] : undefined
      if (make === undefined) {
        throw new InvalidBatch({
          message: `an encoder's input ${name} cannot be made from tokens`,
          field: "inputs",
          expected: Object.keys(makers).join(", "),
          found: name,
        })
      }
      return [`${prefix}.${name}`, make()]
    }),
  )
  return { tensors, tokens, realTokens: texts.reduce((sum, { ids }) => sum + ids.length, 0) }
}
