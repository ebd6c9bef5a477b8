import { decoderTypes } from "../decoder/DecoderConfig.ts"
import { encoderTypes } from "../encoder/BertTypes.ts"
import { seq2seqTypes } from "../seq2seq/Seq2SeqConfig.ts"

/** The kinds of models that this package builds graphs of. */
export type ModelKind = "encoder" | "decoder" | "seq2seq"

/** The `model_type`s of each kind. */
export const modelTypes: Readonly<Record<ModelKind, readonly string[]>> = {
  encoder: encoderTypes,
  decoder: decoderTypes,
  seq2seq: seq2seqTypes,
}

const kinds: ReadonlyMap<unknown, ModelKind> = new Map<unknown, ModelKind>([
  ...encoderTypes.map((type) => [type, "encoder"] as const),
  ...decoderTypes.map((type) => [type, "decoder"] as const),
  ...seq2seqTypes.map((type) => [type, "seq2seq"] as const),
])

/** The kind of the models whose config has this `model_type`, or undefined where no graph of theirs is built. */
export const modelKind = (type: unknown): ModelKind | undefined => kinds.get(type)
