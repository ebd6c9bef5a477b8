import { InvalidLanguageModel, type ModelError } from "@tandem/models"
import type { Graph } from "@tandem/onnx"
import { type Buffer, type Feed, Runtime } from "@tandem/runtime"
import { Effect, type Scope } from "effect"

/**
 * Weights of a graph by input name, all inputs but `isData`: resident buffers are read where they are, so that later changes
 * show; plain tensors are uploaded. One that is missing or of another shape ends in `InvalidLanguageModel`.
 */
export const weightsOf = Effect.fnUntraced(function* (
  { inputs }: Graph,
  given: Readonly<Record<string, Feed>>,
  isData: (name: string) => boolean,
): Effect.fn.Return<Readonly<Record<string, Buffer>>, ModelError, Runtime | Scope.Scope> {
  const runtime = yield* Runtime
  const feeds: Record<string, Buffer> = {}
  for (const { name, type, dims } of inputs) {
    if (isData(name)) continue
    const weight = given[name]
    if (weight === undefined || weight.type !== type || `${weight.dims}` !== `${dims}`) {
      return yield* new InvalidLanguageModel({
        message: weight === undefined ? `the weights lack ${name}` : `the weight ${name} does not fit`,
        tensor: name,
        expected: `${type}[${dims}]`,
        found: weight === undefined ? "nothing" : `${weight.type}[${weight.dims}]`,
      })
    }
    feeds[name] = "id" in weight ? weight : yield* runtime.upload(weight)
  }
  return feeds
})
