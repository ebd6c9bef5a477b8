import type { Tensor } from "@tandem/onnx"
import type { Decoding } from "../decoder/Decoding.ts"
import { attempt } from "../internal/Attempt.ts"
import { tokenIds } from "../tokenizer/TokenIds.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import type { Seq2Seq, Seq2SeqConfig, Seq2SeqGraph } from "./Seq2Seq.ts"
import { seq2seqCaches, seq2seqDecodingGraph, seq2seqPrefixGraph } from "./Seq2SeqDecoding.ts"
import { seq2seqGraph, seq2seqInputs } from "./Seq2SeqGraph.ts"

type Json = Readonly<Record<string, unknown>>

/** The parts of an encoder-decoder whose graph this package builds. */
export interface WeightsSeq2SeqParts {
  readonly config: Seq2SeqConfig
  /** By Hugging Face name, as `pickSeq2SeqWeights` gives them; so the buffers. */
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly buffers?: ReadonlyMap<string, Tensor>
  readonly tokenizer: Tokenizer
  readonly maxLength?: number
  /** `config.json` as it was read or made. */
  readonly huggingFace: Json
  readonly generation?: Json | undefined
  readonly unused?: ReadonlyMap<string, Tensor>
  readonly files?: ReadonlyMap<string, string>
}

/** An encoder-decoder over named weights of an architecture that this package builds. */
export const weightsSeq2Seq = (parts: WeightsSeq2SeqParts): Seq2Seq => {
  const { config, parameters, tokenizer, huggingFace, generation, buffers = new Map() } = parts
  const limit = config.positions.kind === "absolute" ? config.positions.count : Number.MAX_SAFE_INTEGER
  const ends = tokenIds(huggingFace, generation, tokenizer)
  const starts = ["decoder_start_token_id", "bos_token_id"].flatMap((field) => [
    generation?.[field],
    huggingFace[field],
  ])
  const start = starts.find((id): id is number => Number.isSafeInteger(id))
  return {
    kind: "seq2seq",
    config,
    vocabularySize: config.vocabularySize,
    dropout: config.dropout,
    inputs: seq2seqInputs,
    parameters,
    buffers,
    maxLength: Math.min(parts.maxLength ?? limit, limit),
    ...ends,
    startTokenId: start ?? ends.padTokenId,
    tokenizer,
    graph: (shape) => attempt((): Seq2SeqGraph => seq2seqGraph(config, shape, buffers)),
    decoding: attempt(
      (): Decoding => ({
        graph: seq2seqDecodingGraph(config, buffers),
        caches: seq2seqCaches(config),
        uneven: true,
        scoring: undefined,
        encoder: seq2seqPrefixGraph({ config, parameters, buffers }),
      }),
    ),
    source: {
      kind: "weights",
      huggingFace,
      generation,
      unused: parts.unused ?? new Map(),
      files: parts.files ?? new Map(),
    },
  }
}
