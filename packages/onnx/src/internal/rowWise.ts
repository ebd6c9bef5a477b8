import { type Attributes, type Graph, int, intAttribute, type Node, stringAttribute } from "../Graph.ts"
import { toNumbers } from "../Tensor.ts"
import { axisAt } from "./application.ts"
import { knownDims, type RowSelection, rowCount } from "./rowSelection.ts"

/** How some rows of a node's result come of the same rows of its operands. */
export interface RowWise {
  /**
   * `apply`: the node itself, on the rows of the operands. `same`: the rows are those of the operand. `scatter`: those of
   * the operand, and zeros where it has none.
   */
  readonly kind: "apply" | "same" | "scatter"
  /** Operands of which only rows are needed, by their index. */
  readonly operands: ReadonlyMap<number, RowSelection>
  /** Attributes on `[rows, width]`. */
  readonly attributes: Attributes
}

/** The matrix products among the operators that work row by row. */
export const rowProducts: ReadonlySet<string> = new Set(["Gemm", "MatMul", "FusedMatMul", "MatMulNBits"])

/** How a node works row by row; undefined where it does not, or where not enough is known. */
export const rowWiseOf = (
  graph: Graph,
  node: Node,
  selection: RowSelection,
  makers: ReadonlyMap<string, Node>,
): RowWise | undefined => {
  const out = knownDims(graph, node.outputs[0])
  if (out === undefined || out.length < 2 || rowCount(out) !== selection.of) return undefined
  if (node.domain !== "" && node.domain !== "com.microsoft") return undefined
  return operators[node.op]?.({ graph, node, out, selection, makers })
}

interface Case {
  readonly graph: Graph
  readonly node: Node
  readonly out: readonly number[]
  readonly selection: RowSelection
  readonly makers: ReadonlyMap<string, Node>
}

type Reading = (of: Case) => RowWise | undefined

const sameLead = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.slice(0, -1).every((dim, axis) => dim === b[axis])

/** Every operand has the result's rows, or is one row or number for all of them. */
const elementwise: Reading = ({ graph, node, out, selection }) => {
  const operands = new Map<number, RowSelection>()
  for (const [index, name] of node.inputs.entries()) {
    if (name === "") continue
    const dims = knownDims(graph, name)
    if (dims === undefined) return undefined
    if (sameLead(dims, out)) operands.set(index, selection)
    else if (!isForAll(dims)) return undefined
  }
  return operands.size === 0 ? undefined : { kind: "apply", operands, attributes: node.attributes }
}

/** Whether one row or number, which broadcasts over a matrix's rows. */
const isForAll = (dims: readonly number[]): boolean => dims.length < 2 || (dims.length === 2 && dims[0] === 1)

/** Normalization over the last axis; scale and bias are for all rows. */
const overLastAxis: Reading = ({ graph, node, out, selection }) => {
  const forAll = node.inputs.slice(1).every((name) => name === "" || (knownDims(graph, name)?.length ?? 2) < 2)
  if (!forAll || axisAt(intAttribute(node, "axis", -1), out.length) !== out.length - 1) return undefined
  return {
    kind: "apply",
    operands: new Map([[0, selection]]),
    attributes: { ...node.attributes, axis: int(-1) },
  }
}

/** Products with a matrix on the right. */
const product: Reading = ({ graph, node, out, selection }) => {
  const [left, right, added] = [0, 1, 2].map((index) => knownDims(graph, node.inputs[index]))
  const turned = ["transA", "transBatchA", "transBatchB"].some((name) => intAttribute(node, name, 0) !== 0)
  if (left === undefined || right?.length !== 2 || turned || !sameLead(left, out)) return undefined
  const operands = new Map([[0, selection]])
  if ((node.inputs[2] ?? "") !== "") {
    if (added === undefined) return undefined
    if (sameLead(added, out)) operands.set(2, selection)
    else if (!isForAll(added)) return undefined
  }
  return { kind: "apply", operands, attributes: node.attributes }
}

/** Products with a frozen matrix in blocks, and a bias for all rows. */
const blockProduct: Reading = ({ node, selection }) => ({
  kind: "apply",
  operands: new Map([[0, selection]]),
  attributes: node.attributes,
})

/** Another shape with the same rows. */
const reshape: Reading = ({ graph, node, out, selection }) => {
  const dims = knownDims(graph, node.inputs[0])
  return dims !== undefined && dims.length > 1 && dims.at(-1) === out.at(-1)
    ? { kind: "same", operands: new Map([[0, selection]]), attributes: {} }
    : undefined
}

/** Rows that are put to their places among zeros. */
const scatter: Reading = ({ graph, node, out, selection, makers }) => {
  const [data = "", at = "", updates] = node.inputs
  const [places, dims] = [knownDims(graph, at), knownDims(graph, updates)]
  const alone = stringAttribute(node, "reduction", "none") === "none"
  if (out.length !== 2 || places?.length !== 2 || places[1] !== 1 || dims?.length !== 2 || !alone) return undefined
  if (!isZero(makers.get(data)) || selection.count >= dims[0]!) return undefined
  const through: RowSelection = {
    key: `${selection.key} through ${at}`,
    of: dims[0]!,
    count: selection.count,
    rows: [],
    through: { places: selection, at },
    origin: selection.origin,
  }
  return { kind: "scatter", operands: new Map([[2, through]]), attributes: {} }
}

const isZero = (maker: Node | undefined): boolean => {
  if (maker?.op !== "ConstantOfShape") return false
  const { value } = maker.attributes
  return value === undefined || (value.kind === "tensor" && toNumbers(value.value).every((number) => number === 0))
}

const named = (names: string, reading: Reading): readonly (readonly [string, Reading])[] =>
  names.split(" ").map((name) => [name, reading] as const)

/** Operators that work row by row, or may. */
const operators: Readonly<Record<string, Reading>> = Object.fromEntries([
  ...named(
    "Abs Cast Celu Clip Cos Elu Erf Exp Gelu HardSigmoid HardSwish Identity LeakyRelu Log Mish Neg",
    elementwise,
  ),
  ...named("Not Reciprocal Relu Selu Sigmoid Sign Sin Softplus Softsign Sqrt Tanh QuickGelu FastGelu", elementwise),
  ...named(
    "Add And BiasGelu Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mul Or Pow PRelu Sub",
    elementwise,
  ),
  ...named("Where", elementwise),
  ...named("LayerNormalization RMSNormalization SimplifiedLayerNormalization Softmax LogSoftmax", overLastAxis),
  ...named("Gemm MatMul FusedMatMul", product),
  ...named("MatMulNBits", blockProduct),
  ...named("Reshape Squeeze Unsqueeze", reshape),
  ...named("ScatterND", scatter),
])
