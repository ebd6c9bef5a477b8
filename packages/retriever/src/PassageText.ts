import type { Encoded, Encoder, Text } from "@tandem/models"

/** What an encoder reads: a bare text, or a passage, of which text and title count. */
export type EncoderInput = string | { readonly text: string; readonly title?: string | undefined }

/** Which of the two prompts of a model stands before a text. */
export type TextKind = "query" | "passage"

/**
 * What becomes of a passage's title:
 * - `pair`: `[CLS] title [SEP] text [SEP]`, every segment id 0, as DPR was trained
 * - `prefix`: title, a space and the text as one text, as BEIR and sentence-transformers do it
 * - `none`: left out
 *
 * A passage without a title, or with an empty one, is its text alone under all three.
 */
export type Titles = "pair" | "prefix" | "none"

/** How inputs become token ids. */
export interface RenderOptions {
  /** `defaultTitles` of the encoder where absent. */
  readonly titles?: Titles | undefined
  /** Longest sequence in tokens, special tokens included; the encoder's own where absent. */
  readonly maxLength?: number | undefined
}

/** `pair` for DPR's checkpoints, `none` for all other encoders: most were trained on text alone. */
export const defaultTitles = (encoder: Encoder): Titles =>
  encoder.source.huggingFace["model_type"] === "dpr" ? "pair" : "none"

/** The words that an encoder reads of an input, with the prompt that its files name for this kind of text. */
export const renderText = (encoder: Encoder, input: EncoderInput, kind: TextKind, titles: Titles): Text => {
  const prompt = encoder.prompts[kind]
  const { text, title = "" } = typeof input === "string" ? { text: input } : input
  if (title === "" || titles === "none") return prompt + text
  return titles === "pair" ? [prompt + title, text] : `${prompt}${title} ${text}`
}

/**
 * The token ids of an input, special tokens included, cut to the maximum length (of a pair from the longer part
 * first). Training and search must agree on this, so both call it.
 *
 * Throws `InvalidTokenizer` where the maximum length leaves no room.
 */
export const encodeInput = (
  encoder: Encoder,
  input: EncoderInput,
  kind: TextKind,
  options: RenderOptions = {},
): Encoded => {
  const { titles = defaultTitles(encoder), maxLength = encoder.maxLength } = options
  const text = renderText(encoder, input, kind, titles)
  const encoded = encoder.tokenizer.encode(text, { maxLength })
  return typeof text === "string" ? encoded : { ...encoded, types: encoded.types.map(() => 0) }
}
