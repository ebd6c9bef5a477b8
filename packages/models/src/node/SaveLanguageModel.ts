import type { Tensor } from "@tandem/onnx"
import type { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import type { LanguageModel } from "../LanguageModel.ts"
import { type SaveDecoderOptions, saveDecoder } from "./SaveDecoder.ts"
import { saveSeq2Seq } from "./SaveSeq2Seq.ts"

/** Saves a language model with `parameters` as its weights: `saveDecoder` or `saveSeq2Seq`. */
export const saveLanguageModel = (
  directory: string,
  model: LanguageModel,
  parameters: ReadonlyMap<string, Tensor> = model.parameters,
  options: SaveDecoderOptions = {},
): Effect.Effect<void, ModelError> =>
  model.kind === "decoder"
    ? saveDecoder(directory, model, parameters, options)
    : saveSeq2Seq(directory, model, parameters, options)
