import { UnknownOperatorSet } from "../Errors.ts"
import type { Graph, Node } from "../Graph.ts"
import type { Tensor } from "../Tensor.ts"
import { chooseBranches } from "./ChooseBranch.ts"
import { deadCode } from "./DeadCode.ts"
import { decompose } from "./Decompose.ts"
import { upgrade } from "./Upgrade.ts"

/** What `prepare` can be told. */
export interface PrepareOptions {
  /** Inputs of the graph that become constants, as `use_cache_branch` of merged decoders. */
  readonly values?: ReadonlyMap<string, Tensor>
}

/**
 * A graph that somebody else wrote, in the form in which training works on it: of the builder's operator set
 * (`upgrade`), without branches whose condition is known (`chooseBranches`), in plain operators (`decompose`).
 * Functions that the model defines are in their place already (`readModel`). Names of inputs, outputs and weights stay,
 * results agree to rounding. Branches that shapes decide are left for when shapes are known.
 *
 * @throws UnknownOperatorSet where a node belongs to an operator set that is neither ONNX's nor ONNX Runtime's
 * @throws UnsupportedModel where an operator's older or newer form cannot be expressed
 * @throws UnsupportedAttribute where a composite operator's setting cannot be expressed
 *
 * @example
 * ```ts
 * import { GraphBuilder, prepare } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const x = g.input("x", "float32", [2, 4])
 * const [y] = g.op("SkipLayerNormalization", [x, x, g.scalar(1)], { domain: "com.microsoft" })
 * console.log(prepare(g.build({ y: y! })).nodes.map((node) => node.op)) // [ "Add", "LayerNormalization" ]
 * ```
 */
export const prepare = (graph: Graph, options: PrepareOptions = {}): Graph => {
  requireKnownDomains(graph)
  return decompose(chooseBranches(bind(upgrade(graph), options.values ?? new Map())))
}

const domains: ReadonlySet<string> = new Set(["", "com.microsoft"])

const requireKnownDomains = (graph: Graph): void => {
  const check = (node: Node): void => {
    if (!domains.has(node.domain)) {
      throw new UnknownOperatorSet({
        message: `${node.name} (${node.op}) belongs to the operator set ${node.domain}, which is not known`,
        node: node.name,
        field: "domain",
        expected: "operators of ONNX or com.microsoft",
        found: `${node.domain}.${node.op}`,
        hint: "export the model without custom operators",
      })
    }
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === "graph") for (const inner of attribute.value.nodes) check(inner)
    }
  }
  for (const node of graph.nodes) check(node)
}

/** Inputs as constants. */
const bind = (graph: Graph, values: ReadonlyMap<string, Tensor>): Graph => {
  const bound = graph.inputs.flatMap(({ name }) => {
    const value = values.get(name)
    return value === undefined ? [] : [[name, value] as const]
  })
  if (bound.length === 0) return graph
  return deadCode({
    ...graph,
    inputs: graph.inputs.filter(({ name }) => !values.has(name)),
    initializers: new Map([...graph.initializers, ...bound]),
  })
}
