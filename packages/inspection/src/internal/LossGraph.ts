import { elementCount, type Graph, GraphBuilder, type Tensor, type Value } from "@tandem/onnx"

/** Names of the outputs that `withLoss` makes. */
export const lossOutputs = { loss: "tandem.loss", out: "tandem.out" } as const

/**
 * A static graph behind which loss = sum(out · R) / numel(out) stands, `out` being its only output. The named
 * parameters stay initializers of their names, so that they can be differentiated by; everything else is constant.
 */
export const withLoss = (graph: Graph, parameters: Iterable<string>, R: Tensor): Graph => {
  const g = new GraphBuilder()
  const bindings: Record<string, Value> = {}
  for (const name of parameters) {
    const value = graph.initializers.get(name)
    if (value !== undefined) bindings[name] = g.initializer(name, value)
  }
  const out = Object.values(g.callWithInputs(graph, (name) => name, bindings).outputs)[0]!
  const sum = g.reduceSum(g.mul(out, g.constant(R)), [], false)
  const loss = g.mul(sum, g.scalar(1 / elementCount(R.dims)))
  return g.build({ [lossOutputs.loss]: loss, [lossOutputs.out]: out }, graph.name)
}

/** The same loss from computed outputs, summed in 64 bits. */
export const lossOf = (out: ArrayLike<number>, R: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < R.length; i++) sum += out[i]! * R[i]!
  return sum / R.length
}
