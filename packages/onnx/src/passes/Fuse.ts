import { InvalidGraph } from "../Errors.ts"
import { type Graph, intAttribute, type Node } from "../Graph.ts"
import { builderOpset } from "../GraphBuilder.ts"
import { matchGelu } from "../internal/geluPattern.ts"
import { matchLayerNormalization } from "../internal/layerNormPattern.ts"
import { type Match, PatternGraph } from "../internal/pattern.ts"
import { bypass } from "../internal/rewrite.ts"
import { matchRmsNormalization } from "../internal/rmsNormPattern.ts"
import { matchSilu } from "../internal/siluPattern.ts"
import { typeNames } from "../internal/types.ts"
import { deadCode } from "./DeadCode.ts"
import { ShapeWalk } from "./InferShapes.ts"

/**
 * Puts single operators in the place of what exporters spell out: layer normalization by means, differences and a root
 * becomes `LayerNormalization`; RMS normalization by the root of a mean square ONNX Runtime's
 * `SimplifiedLayerNormalization`; GELU by `Erf` becomes `Gelu`, by `Tanh` `Gelu(approximate=tanh)`, and a product with
 * its own sigmoid (SiLU) ONNX Runtime's `QuickGelu`, however sums and products are ordered. A pattern is left alone
 * where its constants differ, or where something else reads one of its intermediate values. Casts to the type that a
 * value has already go.
 *
 * The fused node keeps name and output of the last node of the pattern. Results agree to rounding. The graph must be
 * of `builderOpset` (see `upgrade`), or `InvalidGraph`.
 *
 * @example
 * ```ts
 * import { fuse, GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const x = g.input("x", "float32", [2, 3])
 * const gate = g.add(g.erf(g.div(x, g.scalar(Math.SQRT2))), g.scalar(1))
 * const graph = fuse(g.build({ y: g.mul(g.mul(x, gate), g.scalar(0.5)) }))
 * console.log(graph.nodes.map((node) => node.op)) // [ "Gelu" ]
 * ```
 */
export const fuse = (graph: Graph): Graph => {
  const version = graph.opsets.get("") ?? builderOpset
  if (version !== builderOpset) {
    throw new InvalidGraph({
      message: `graph ${graph.name} uses operator set ${version}, in which patterns look different`,
      expected: `${builderOpset}`,
      found: `${version}`,
      hint: "upgrade the graph first",
    })
  }
  return fusePatterns(withoutEmptyCasts(graph))
}

/** The graph without casts to the type that a value has already, which stand between parts of patterns. */
const withoutEmptyCasts = (graph: Graph): Graph => {
  const walk = walked(graph)
  return bypass(graph, (node) => {
    if (node.op !== "Cast" || node.domain !== "") return undefined
    const from = node.inputs[0] ?? ""
    return walk.value(from).type === typeNames.get(intAttribute(node, "to", 0)) ? from : undefined
  })
}

const walked = (graph: Graph): ShapeWalk => {
  const walk = new ShapeWalk(graph)
  for (const node of graph.nodes) walk.visit(node)
  return walk
}

const fusePatterns = (graph: Graph): Graph => {
  const pattern = new PatternGraph(graph)
  const walk = walked(graph)
  const describe = (name: string) => walk.value(name)
  const gone = new Set<Node>()
  const replaced = new Map<string, Node>()
  const accept = (match: Match | undefined): void => {
    if (match === undefined || [...match.nodes].some((node) => gone.has(node)) || !pattern.isPrivate(match)) return
    for (const node of match.nodes) gone.add(node)
    replaced.set(match.replacement.outputs[0] ?? "", match.replacement)
  }
  // From the end, so that a normalization is found with its bias before it is found without.
  for (const node of [...graph.nodes].reverse()) {
    accept(matchLayerNormalization(pattern, node, describe))
    accept(matchRmsNormalization(pattern, node, describe))
    accept(matchGelu(pattern, node))
    accept(matchSilu(pattern, node, describe))
  }
  const nodes = graph.nodes.flatMap((node) => {
    const replacement = replaced.get(node.outputs[0] ?? "")
    if (replacement !== undefined) return [replacement]
    return gone.has(node) ? [] : [node]
  })
  const opsets = new Map(graph.opsets)
  for (const { domain } of nodes) if (!opsets.has(domain)) opsets.set(domain, 1)
  return deadCode({ ...graph, nodes, opsets })
}
