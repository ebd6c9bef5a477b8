import { type Attributes, float, type Value } from "../Graph.ts"
import type { Composite, Decomposition } from "./Composite.ts"

/** x · sigmoid(alpha · x), Swish-24. */
export const swish: Decomposition = (call) => {
  const { g } = call
  const x = call.input(0, "X")
  const alpha = call.float("alpha", 1)
  return [g.mul(x, g.sigmoid(alpha === 1 ? x : g.mul(x, call.scalar(alpha, x))))]
}

/** An operand of FusedMatMul: `transBatch` moves its first axis before the last two, `trans` swaps its last two. */
const oriented = (call: Composite, x: Value, name: "A" | "B"): Value => {
  const rank = call.rank(x, name)
  const axes = Array.from({ length: rank }, (_, index) => index)
  const moved = call.flag(`transBatch${name}`) && rank > 2 ? [...axes.slice(1, -1), 0, rank - 1] : axes
  const swapped =
    call.flag(`trans${name}`) && rank > 1 ? [...moved.slice(0, -2), moved[rank - 1]!, moved[rank - 2]!] : moved
  return call.g.transpose(x, swapped)
}

/** alpha · op(A) · op(B). */
export const fusedMatMul: Decomposition = (call) => {
  const { g } = call
  const product = g.matmul(oriented(call, call.input(0, "A"), "A"), oriented(call, call.input(1, "B"), "B"))
  const alpha = call.float("alpha", 1)
  return [alpha === 1 ? product : g.mul(product, call.scalar(alpha, product))]
}

const activationSettings = ["alpha", "beta", "gamma"] as const

/** Gemm and the activation after it. */
export const fusedGemm: Decomposition = (call) => {
  const { g } = call
  const c = call.optional(2)
  const product = g.gemm(call.input(0, "A"), call.input(1, "B"), {
    ...(c === undefined ? {} : { c }),
    transA: call.flag("transA"),
    transB: call.flag("transB"),
    alpha: call.float("alpha", 1),
    beta: call.float("beta", 1),
  })
  const activation = call.text("activation", "")
  if (activation === "") return [product]
  const settings = activationSettings.flatMap((name) => {
    const setting = call.node.attributes[`activation_${name}`]
    return setting?.kind === "float" ? [[name, float(setting.value)] as const] : []
  })
  const attributes: Attributes = Object.fromEntries(settings)
  return [g.op(activation, [product], { attributes })[0]]
}

/** What ONNX Runtime fuses a convolution with, and its numbers in the order of `activation_params`. */
const activationNumbers: Readonly<Record<string, readonly string[]>> = {
  Relu: [],
  Sigmoid: [],
  Tanh: [],
  LeakyRelu: ["alpha"],
  HardSigmoid: ["alpha", "beta"],
}

/** Conv, what is added to it, and the activation after it. */
export const fusedConv: Decomposition = (call) => {
  const { g } = call
  const { activation: _activation, activation_params: numbers, ...attributes } = call.node.attributes
  const operands = [call.input(0, "X"), call.input(1, "W"), call.optional(2)]
  const product = g.op("Conv", operands, { attributes })[0]!
  const further = call.optional(3)
  const sum = further === undefined ? product : g.add(product, further)
  const activation = call.text("activation", "")
  if (activation === "") return [sum]
  const settings = numbers?.kind === "floats" ? numbers.value : []
  if (activation === "Clip") {
    const [low, high] = settings
    return [g.op("Clip", [sum, ...[low, high].map((bound) => call.scalar(bound ?? 0, sum))])[0]]
  }
  const names = activationNumbers[activation]
  if (names === undefined) return call.refuse("activation", Object.keys(activationNumbers).join(", "), activation)
  const own: Attributes = Object.fromEntries(
    names.flatMap((name, index) => (settings[index] === undefined ? [] : [[name, float(settings[index])] as const])),
  )
  return [g.op(activation, [sum], { attributes: own })[0]]
}

/** x + bias + skip. */
export const biasAdd: Decomposition = (call) => [
  call.g.add(call.g.add(call.input(0, "X"), call.input(1, "bias")), call.input(2, "skip")),
]

/** softmax(data + bias), over the last axis. */
export const biasSoftmax: Decomposition = (call) => {
  const { g } = call
  const data = call.input(0, "data")
  const axis = call.int("axis", 1)
  const last = call.rank(data, "data") - 1
  if (axis !== last && axis !== -1) call.refuse("axis", `the last, ${last}`, `${axis}`)
  return [g.softmax(g.add(data, call.input(1, "bias")))]
}

/** com.microsoft.Trilu is ONNX's own. */
export const triluContrib: Decomposition = (call) => [
  call.g.op("Trilu", [call.input(0, "X"), call.optional(1)], { attributes: call.node.attributes })[0],
]
