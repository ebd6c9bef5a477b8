import type { Decoder } from "./decoder/Decoder.ts"
import type { Seq2Seq } from "./seq2seq/Seq2Seq.ts"

/** A model that writes text: a decoder alone, or one that reads what an encoder has made of the input. */
export type LanguageModel = Decoder | Seq2Seq
