import type { GraphBuilder, Value } from "@tandem/onnx"
import type { DecoderConfig } from "../decoder/Decoder.ts"
import { decoderParameters } from "../decoder/DecoderParameters.ts"
import type { Block, Form, Heads } from "./DecoderBlocks.ts"

/** The tokens of a graph of any shape, by its inputs' values. */
interface AnyTokens {
  readonly ids: Value
  readonly positions: Value
  readonly places: Value
  readonly wanted: Value
}

/**
 * The form of a decoder that works on the real tokens of any number of rows. `attend` gives the context at all places of
 * the rows; the weights become inputs of their names, behind those that the graph has.
 */
export const tokenForm = (
  g: GraphBuilder,
  config: DecoderConfig,
  { ids, positions, places, wanted }: AnyTokens,
  attend: (heads: Heads, block: Pick<Block, "layer" | "index">) => Value,
): Form => {
  const weights = new Map(decoderParameters(config).map(({ name, dims }) => [name, g.input(name, "float32", dims)]))
  return {
    g,
    weight: (name) => weights.get(name),
    ids,
    positions,
    allPositions: positions,
    training: true,
    heads: (x, count) => g.reshape(x, [-1, count, config.headSize]),
    attend: (heads, { layer, index, last }) =>
      g.gather(attend(heads, { layer, index }), last ? g.gather(places, wanted) : places),
    finish: (x) => g.gather(x, wanted),
    drop: (x) => x,
    dropout: { hidden: 0, attention: 0 },
  }
}
