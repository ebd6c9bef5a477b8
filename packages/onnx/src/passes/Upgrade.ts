import { decompositions } from "../composites/table.ts"
import { UnknownOperatorSet, UnsupportedModel } from "../Errors.ts"
import { describeValue, type Graph, type Node } from "../Graph.ts"
import { builderOpset } from "../GraphBuilder.ts"
import { conversions } from "../internal/conversions.ts"
import { bypass, constantTensor, freshNames, mapSubgraphs } from "../internal/rewrite.ts"
import { bytesOf, type Tensor } from "../Tensor.ts"
import { deadCode } from "./DeadCode.ts"
import { type DecompositionTable, decompose } from "./Decompose.ts"

/** The operator sets of ONNX that `upgrade` has been reviewed for. */
export const oldestOpset = 7
export const newestOpset = 24

/** Operators of ONNX that are younger than `builderOpset`. */
const younger: DecompositionTable = Object.fromEntries(
  ["Attention", "RMSNormalization", "RotaryEmbedding", "Swish"].map((op) => [op, decompositions[op]!]),
)

/**
 * Brings a graph of operator set 7 to 24 to the form of `builderOpset`, in which everything else of this package
 * works: arguments that were attributes become inputs, changed defaults are written out, `Constant` nodes become
 * initializers and `Identity` nodes go (one that makes an output of the graph stays). Names of values, inputs, outputs
 * and weights do not change, so `writeBack` still finds the weights. Results are equal, to rounding where an operator
 * is younger than the builder's set.
 *
 * Sets 21 to 24 are brought down to 20 rather than the builder's up to 24: all that they changed is element types
 * (4-bit and 8-bit floats, bfloat16 here and there), which the reader knows or refuses, and the operators listed here.
 * `Attention`, `RMSNormalization`, `RotaryEmbedding` and `Swish` are new and become plain operators (`decompose`);
 * `Cast` loses how it rounds to 8 bits; `GroupNormalization` of 21, blocks and output types of quantization and
 * `TensorScatter` are refused. All other nodes mean in 20 what they mean in 24, and every runtime knows 20.
 *
 * @throws UnknownOperatorSet where the graph's operator set is outside 7 to 24
 * @throws UnsupportedModel where an operator's form cannot be expressed; it names the node
 * @throws UnsupportedAttribute where a younger operator's setting cannot be expressed
 *
 * @example
 * ```ts
 * import { GraphBuilder, upgrade } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const x = g.input("x", "float32", [2])
 * const graph = upgrade(g.build({ y: g.identity(g.neg(x)) }))
 * console.log(graph.nodes.map((node) => node.op)) // [ "Neg", "Identity" ]
 * ```
 */
export const upgrade = (graph: Graph): Graph => {
  const version = graph.opsets.get("") ?? builderOpset
  if (version < oldestOpset || version > newestOpset) {
    throw new UnknownOperatorSet({
      message: `graph ${graph.name} uses operator set ${version}, which has not been reviewed`,
      field: "opset_import",
      expected: `${oldestOpset} to ${newestOpset}`,
      found: `${version}`,
      hint: `export the model again with opset ${builderOpset}`,
    })
  }
  return deadCode(decompose(convert(graph, version, freshNames(graph)), younger))
}

const convert = (graph: Graph, version: number, fresh: (stem: string) => string): Graph => {
  const initializers = new Map(graph.initializers)
  const known = new Map<string, string>()
  const constant = (value: Tensor, stem: string): string => {
    const key = `${value.type}[${value.dims}]${bytesOf(value)}`
    const existing = known.get(key)
    if (existing !== undefined) return existing
    const name = fresh(stem)
    known.set(key, name)
    initializers.set(name, value)
    return name
  }
  const context = { version, constant, fresh, describe: (name: string) => describeValue(graph, name) }
  const changes = conversions.filter(
    ({ before = 0, from = Number.POSITIVE_INFINITY }) => version < before || version >= from,
  )
  const upgradeNode = (node: Node): readonly Node[] => {
    if (node.domain !== "") return [node]
    if (node.op === "Constant") {
      initializers.set(node.outputs[0] ?? "", constantOf(node, version))
      return []
    }
    let nodes: readonly Node[] = [node]
    for (const { ops, convert: change } of changes) {
      if (!nodes.some(({ op }) => ops.includes(op))) continue
      nodes = nodes.flatMap((each) => (ops.includes(each.op) ? change(each, context) : [each]))
    }
    return nodes
  }
  const nodes = graph.nodes.flatMap(upgradeNode).map((node) => ({
    ...node,
    attributes: mapSubgraphs(node.attributes, (inner) => convert(inner, version, fresh)),
  }))
  const opsets = new Map(graph.opsets).set("", builderOpset)
  const upgraded = { ...graph, nodes, initializers, opsets }
  return bypass(upgraded, (node) => (node.op === "Identity" && node.domain === "" ? node.inputs[0] : undefined))
}

const constantOf = (node: Node, version: number): Tensor => {
  const value = constantTensor(node.attributes)
  if (value !== undefined) return value
  throw new UnsupportedModel({
    message: `constant ${node.name} (opset ${version}) holds no dense tensor`,
    node: node.name,
    found: Object.keys(node.attributes).join(", "),
  })
}
