import { Effect } from "effect"
import {
  InvalidEncoder,
  InvalidLanguageModel,
  type ModelError,
  UnsupportedArchitecture,
  UnsupportedEncoder,
} from "../Errors.ts"

/** Errors of files that encoders and language models share, as those of a language model. */
export const asLanguageModel = <A, R>(effect: Effect.Effect<A, ModelError, R>): Effect.Effect<A, ModelError, R> =>
  Effect.mapError(effect, (error): ModelError => {
    if (error instanceof InvalidEncoder) return new InvalidLanguageModel(detailsOf(error))
    if (error instanceof UnsupportedEncoder) return new UnsupportedArchitecture(detailsOf(error))
    return error
  })

const detailsOf = ({ message, file, field, tensor, expected, found, hint }: InvalidEncoder | UnsupportedEncoder) => ({
  message,
  ...(file === undefined ? {} : { file }),
  ...(field === undefined ? {} : { field }),
  ...(tensor === undefined ? {} : { tensor }),
  ...(expected === undefined ? {} : { expected }),
  ...(found === undefined ? {} : { found }),
  ...(hint === undefined ? {} : { hint }),
})
