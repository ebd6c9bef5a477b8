import { type Graph, reads } from "@tandem/onnx"

/** Where normalisations have scale and bias among their inputs. */
const places: Readonly<Record<string, readonly [scale: number, bias: number]>> = {
  LayerNormalization: [1, 2],
  SkipLayerNormalization: [2, 3],
}

/**
 * Zeros that stand where a normalisation has no bias, because exporters write one all the same: every element is 0, but
 * not every scale is the same, so that training moved these and would have moved a bias.
 */
export const absentBiases = (graph: Graph): ReadonlySet<string> => {
  const isUniform = (name: string): boolean => {
    const { data } = graph.initializers.get(name) ?? {}
    return data === undefined || data.every((value) => value === data[0])
  }
  const found = new Set<string>()
  const others = new Set<string>()
  for (const node of graph.nodes) {
    const [scale, bias] = (places[node.op] ?? []).map((place) => node.inputs[place] ?? "")
    const stands =
      scale !== undefined && bias !== undefined && isUniform(bias) && firstOf(graph, bias) === 0 && !isUniform(scale)
    if (stands) found.add(bias)
    for (const name of reads(node)) if (!stands || name !== bias) others.add(name)
  }
  return new Set([...found].filter((name) => !others.has(name)))
}

const firstOf = (graph: Graph, name: string): unknown => graph.initializers.get(name)?.data[0]
