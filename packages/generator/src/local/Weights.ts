import { InvalidLanguageModel, type ModelError } from "@tandem/models"
import type { Graph, Value } from "@tandem/onnx"
import { type Feed, type PlacedWeights, placeWeights, type Runtime } from "@tandem/runtime"
import type { Effect, Scope } from "effect"
import { isData } from "./Graphs.ts"

/** All inputs of a decoding graph but its data, as `placeWeights` places them; a misfit ends in `InvalidLanguageModel`. */
export const weightsOf = (
  { inputs }: Graph,
  given: Readonly<Record<string, Feed>>,
): Effect.Effect<PlacedWeights, ModelError, Runtime | Scope.Scope> =>
  placeWeights(
    inputs.filter(({ name }) => !isData(name)),
    given,
    misfit,
  )

const misfit = ({ name, type, dims }: Value, weight: Feed | undefined): InvalidLanguageModel =>
  new InvalidLanguageModel({
    message: weight === undefined ? `the weights lack ${name}` : `the weight ${name} does not fit`,
    tensor: name,
    expected: `${type}[${dims}]`,
    found: weight === undefined ? "nothing" : `${weight.type}[${weight.dims}]`,
  })
