import { type Graph, GraphBuilder, int64, type Value } from "@tandem/onnx"
import type { EncoderGraph, Pooling } from "./Encoder.ts"

/**
 * Makes one vector per text out of token embeddings.
 *
 * `hidden` is `[batch, tokens, hidden] f32`, `mask` the attention mask `[batch, tokens] int64` (1 real, 0 padding);
 * the result is `[batch, hidden] f32`. Gradients flow to `hidden` alone.
 *
 * - `mean`: mean over real tokens; a row without any gives zeros.
 * - `cls`: the first token. `last`: the last real token.
 * - `max`: the largest value over real tokens, by component.
 *
 * With `normalize` the vector is divided by max(‖x‖₂, 1e-12), as PyTorch's `F.normalize` does. The definitions are
 * those of sentence-transformers' `Pooling` and `Normalize`.
 */
export const pool = (g: GraphBuilder, hidden: Value, mask: Value, pooling: Pooling): Value => {
  const vector = g.scope(`pooling.${pooling.mode}`, () => modes[pooling.mode](g, hidden, mask))
  return pooling.normalize ? g.scope("normalize", () => normalize(g, vector)) : vector
}

/** Rows of `x` at unit length: x / max(‖x‖₂, 1e-12). */
export const normalize = (g: GraphBuilder, x: Value): Value => {
  // The bound is put under the root, so that the derivative of the root stays finite for a row of zeros.
  const squares = g.max(g.reduceSum(g.mul(x, x), [-1], true), g.scalar(1e-24))
  return g.div(x, g.sqrt(squares))
}

const modes: Readonly<Record<Pooling["mode"], (g: GraphBuilder, hidden: Value, mask: Value) => Value>> = {
  mean: (g, hidden, mask) => {
    const real = g.cast(mask, "float32")
    const count = g.max(g.reduceSum(real, [1], true), g.scalar(1e-9))
    return weightedSum(g, hidden, g.div(real, count))
  },
  cls: (g, hidden) => g.squeeze(g.slice(hidden, 1, 0, 1), [1]),
  last: (g, hidden, mask) => {
    const real = g.cast(mask, "float32")
    const axis = g.constant(int64([], [1]))
    const rank = g.mul(real, g.op("CumSum", [real, axis])[0]!)
    const total = g.reduceSum(real, [1], true)
    return weightedSum(g, hidden, g.mul(real, g.cast(g.equal(rank, total), "float32")))
  },
  max: (g, hidden, mask) => {
    const real = g.cast(g.unsqueeze(mask, [2]), "bool")
    return g.reduceMax(g.where(real, hidden, g.scalar(-1e9)), [1], false)
  },
}

/** Σ over tokens of weight · vector, as one product. */
const weightedSum = (g: GraphBuilder, hidden: Value, weights: Value): Value =>
  g.squeeze(g.matmul(g.unsqueeze(weights, [1]), hidden), [1])

/**
 * The graph of an encoder with pooling behind it: the same inputs, one output `sentence_embedding` `[batch, hidden]`.
 */
export const withPooling = (encoder: EncoderGraph, pooling: Pooling): EncoderGraph => ({
  graph: pooledGraph(encoder.graph, pooling),
  dropout: encoder.dropout,
})

/** `withPooling` of a bare graph that has an input `attention_mask` and an output `last_hidden_state`. */
export const pooledGraph = (graph: Graph, pooling: Pooling): Graph => {
  const g = new GraphBuilder()
  const { inputs, outputs } = g.callWithInputs(graph)
  const sentence_embedding = pool(g, outputs["last_hidden_state"]!, inputs["attention_mask"]!, pooling)
  return g.build({ sentence_embedding }, graph.name)
}
