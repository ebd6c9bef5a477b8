import type { Decoder } from "./Decoder.ts"
import type { Seq2Seq } from "./Seq2Seq.ts"

/** A model that writes text: a decoder alone, or one that reads what an encoder has made of the input. */
export type LanguageModel = Decoder | Seq2Seq
