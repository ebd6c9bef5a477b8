import assert from "node:assert/strict"
import { test } from "node:test"
import {
  float32,
  fuse,
  type Graph,
  GraphBuilder,
  InvalidGraph,
  int,
  type Tensor,
  upgrade,
  type Value,
} from "../../src/index.ts"
import { exports, readGraph } from "../support/golden.ts"
import { assertEqualResults, batch } from "./run.ts"

const operators = (graph: Graph): readonly string[] => graph.nodes.map((node) => node.op)
const count = (graph: Graph, ...ops: readonly string[]): number =>
  operators(graph).filter((op) => ops.includes(op)).length

for (const path of exports) {
  test(`${path}: 5 LayerNormalization and 2 Gelu, equal results`, async () => {
    const graph = upgrade(readGraph(path))
    const fused = fuse(graph)
    assert.equal(count(fused, "LayerNormalization"), 5)
    assert.equal(count(fused, "Gelu"), 2)
    assert.equal(count(fused, "Erf", "Tanh", "ReduceMean", "Pow", "Sqrt", "Sub"), 0)
    for (const name of graph.initializers.keys()) {
      if (/weight|bias/.test(name)) assert.ok(fused.initializers.has(name), `${name} is lost`)
    }
    await assertEqualResults(graph, fused, batch, 3e-6)
    assert.deepEqual(fuse(fused), fused)
  })
}

const x = float32(
  [2, 3, 4],
  Array.from({ length: 24 }, (_, index) => Math.sin(index * 1.3) * 3),
)
const feeds: Readonly<Record<string, Tensor>> = { x }

type Expression = (g: GraphBuilder, x: Value) => Value
const build = (expression: Expression, dims: Value["dims"] = ["batch", 3, 4]): Graph => {
  const g = new GraphBuilder()
  // The input comes out of arithmetic itself, as a bias is added to a product.
  const input = g.add(g.input("x", "float32", dims ?? []), g.initializer("b", float32([4], [0.1, -0.2, 0.3, 0.4])))
  return g.build({ y: expression(g, input) })
}

const half = (g: GraphBuilder): Value => g.scalar(0.5)
const one = (g: GraphBuilder): Value => g.scalar(1)
const gate = (g: GraphBuilder, v: Value): Value => g.add(g.erf(g.div(v, g.scalar(Math.SQRT2))), one(g))

const byErf: Readonly<Record<string, Expression>> = {
  "(x · (erf(x / √2) + 1)) · 0.5": (g, v) => g.mul(g.mul(v, gate(g, v)), half(g)),
  "(0.5 · x) · (1 + erf(x · √½))": (g, v) =>
    g.mul(g.mul(half(g), v), g.add(one(g), g.erf(g.mul(v, g.scalar(Math.SQRT1_2))))),
  "x · (0.5 · (1 + erf))": (g, v) => g.mul(v, g.mul(half(g), gate(g, v))),
  "x · ((1 + erf) / 2)": (g, v) => g.mul(v, g.div(gate(g, v), g.scalar(2))),
  "(0.5 · erf + 0.5) · x": (g, v) => g.mul(g.add(g.mul(half(g), g.erf(g.div(v, g.scalar(Math.SQRT2)))), half(g)), v),
  "0.5 · x + 0.5 · x · erf": (g, v) => {
    const scaled = g.mul(v, half(g))
    return g.add(scaled, g.mul(scaled, g.erf(g.mul(g.scalar(Math.SQRT1_2), v))))
  },
}

const k = Math.sqrt(2 / Math.PI)
const cubes: Readonly<Record<string, Expression>> = {
  "x³ as Pow": (g, v) => g.mul(g.scalar(0.044715), g.pow(v, g.scalar(3))),
  "x · x · x": (g, v) => g.mul(g.mul(g.mul(v, v), v), g.scalar(0.044715)),
  "x · (x · (x · c))": (g, v) => g.mul(v, g.mul(v, g.mul(v, g.scalar(0.044715)))),
}
const tanhGate = (g: GraphBuilder, argument: Value): Value => g.add(one(g), g.tanh(argument))
const byTanh: Readonly<Record<string, Expression>> = {
  ...Object.fromEntries(
    Object.entries(cubes).map(([name, cube]): [string, Expression] => [
      `0.5 · x · (1 + tanh(k · (x + ${name})))`,
      (g, v) => g.mul(g.mul(half(g), v), tanhGate(g, g.mul(g.scalar(k), g.add(v, cube(g, v))))),
    ]),
  ),
  "x · k · (1 + c · x · x)": (g, v) =>
    g.mul(
      g.mul(v, half(g)),
      tanhGate(g, g.mul(g.mul(v, g.scalar(k)), g.add(one(g), g.mul(g.mul(v, g.scalar(0.044715)), v)))),
    ),
}

for (const [name, expression] of Object.entries(byErf)) {
  test(`GELU as ${name}`, async () => {
    const graph = build(expression)
    const fused = fuse(graph)
    assert.deepEqual(operators(fused), ["Add", "Gelu"])
    assert.equal(fused.nodes[1]?.name, graph.nodes.at(-1)?.name)
    await assertEqualResults(graph, fused, feeds, 1e-6)
  })
}

for (const [name, expression] of Object.entries(byTanh)) {
  test(`GELU as ${name}`, async () => {
    const graph = build(expression)
    const fused = fuse(graph)
    assert.deepEqual(operators(fused), ["Add", "Gelu"])
    assert.deepEqual(fused.nodes[1]?.attributes, { approximate: { kind: "string", value: "tanh" } })
    await assertEqualResults(graph, fused, feeds, 1e-6)
  })
}

const silus: Readonly<Record<string, readonly [number, Expression]>> = {
  "x · σ(x)": [1, (g, v) => g.mul(v, g.sigmoid(v))],
  "σ(x) · x": [1, (g, v) => g.mul(g.sigmoid(v), v)],
  "x · σ(1.5 · x)": [1.5, (g, v) => g.mul(v, g.sigmoid(g.mul(v, g.scalar(1.5))))],
  "σ(1.5 · x) · x, factors swapped": [1.5, (g, v) => g.mul(g.sigmoid(g.mul(g.scalar(1.5), v)), v)],
}

for (const [name, [alpha, expression]] of Object.entries(silus)) {
  test(`SiLU as ${name}`, async () => {
    const graph = build(expression)
    const fused = fuse(graph)
    assert.deepEqual(operators(fused), ["Add", "QuickGelu"])
    assert.deepEqual(fused.nodes[1]?.attributes, { alpha: { kind: "float", value: alpha } })
    assert.equal(fused.opsets.get("com.microsoft"), 1)
    await assertEqualResults(graph, fused, feeds, 1e-6)
  })
}

interface Norm {
  readonly square?: "pow" | "mul"
  readonly divide?: "div" | "reciprocal" | "power" | "one over"
  readonly swap?: boolean
  readonly axes?: readonly number[]
  readonly secondAxes?: readonly number[]
  readonly exponent?: number
  readonly twice?: boolean
  readonly bias?: Tensor | "none"
  readonly scale?: Tensor
}

const scale = float32([4], [1, 2, -0.5, 0.25])
const bias = float32([4], [0.5, 0, -1, 2])

const norm =
  (options: Norm = {}): Expression =>
  (g, v) => {
    const { axes = [-1], secondAxes = axes, exponent = 2, divide = "div", swap = false } = options
    const order = (make: (a: Value, b: Value) => Value, a: Value, b: Value) => (swap ? make(b, a) : make(a, b))
    const mean = g.reduceMean(v, axes)
    const centre = g.sub(v, mean)
    // A second difference, not merged with the first, as old exporters wrote it.
    const again = options.twice === true ? g.sub(v, g.reduceMean(v, [2])) : centre
    const square = options.square === "mul" ? g.mul(again, again) : g.pow(again, g.scalar(exponent))
    const shifted = order((a, b) => g.add(a, b), g.reduceMean(square, secondAxes), g.scalar(1e-5))
    const root = (): Value => g.sqrt(shifted)
    const normal = {
      div: () => g.div(centre, root()),
      reciprocal: () => order((a, b) => g.mul(a, b), centre, g.reciprocal(root())),
      power: () => g.mul(centre, g.pow(shifted, g.scalar(-0.5))),
      "one over": () => g.mul(centre, g.div(g.scalar(1), root())),
    }[divide]()
    const scaled = order((a, b) => g.mul(a, b), normal, g.initializer("scale", options.scale ?? scale))
    if (options.bias === "none") return scaled
    return order((a, b) => g.add(a, b), scaled, g.initializer("bias", options.bias ?? bias))
  }

const normal: Readonly<Record<string, Norm>> = {
  "as PyTorch writes it": {},
  "with x · x": { square: "mul" },
  "with operands swapped": { swap: true },
  "with a reciprocal": { divide: "reciprocal", swap: true },
  "with a power of −½": { divide: "power" },
  "with 1 / √": { divide: "one over" },
  "with the axis counted from the front": { axes: [2] },
  "with the axis counted both ways": { secondAxes: [2] },
  "with a second difference": { twice: true },
  "without bias": { bias: "none" },
  "over two axes": {
    axes: [-2, -1],
    scale: float32(
      [3, 4],
      Array.from({ length: 12 }, (_, index) => index / 4),
    ),
    bias: float32(
      [3, 4],
      Array.from({ length: 12 }, (_, index) => -index),
    ),
  },
}

for (const [name, options] of Object.entries(normal)) {
  test(`layer normalization ${name}`, async () => {
    const graph = build(norm(options))
    const fused = fuse(graph)
    assert.deepEqual(operators(fused), ["Add", "LayerNormalization"])
    assert.equal(fused.nodes[1]?.inputs.length, options.bias === "none" ? 2 : 3)
    await assertEqualResults(graph, fused, feeds, 2e-6)
  })
}

/** RMS normalization with the scale made of `scale`. */
const rms =
  (options: Norm = {}, made: (g: GraphBuilder, scale: Value) => Value = (_, value) => value): Expression =>
  (g, v) => {
    const { axes = [-1], exponent = 2, divide = "div", swap = false } = options
    const order = (make: (a: Value, b: Value) => Value, a: Value, b: Value) => (swap ? make(b, a) : make(a, b))
    const square = options.square === "mul" ? g.mul(v, v) : g.pow(v, g.scalar(exponent))
    const shifted = order((a, b) => g.add(a, b), g.reduceMean(square, axes), g.scalar(1e-5))
    const root = (): Value => g.sqrt(shifted)
    const normalized = {
      div: () => g.div(v, root()),
      reciprocal: () => order((a, b) => g.mul(a, b), v, g.reciprocal(root())),
      power: () => g.mul(v, g.pow(shifted, g.scalar(-0.5))),
      "one over": () => g.mul(v, g.div(g.scalar(1), root())),
    }[divide]()
    return order((a, b) => g.mul(a, b), normalized, made(g, g.initializer("scale", options.scale ?? scale)))
  }

const rmsForms: Readonly<Record<string, Expression>> = {
  "with a division": rms(),
  "with x · x": rms({ square: "mul" }),
  "with operands swapped": rms({ swap: true }),
  "as Llama writes it": rms({ divide: "reciprocal", swap: true }),
  "with a power of −½": rms({ divide: "power" }),
  "with 1 / √": rms({ divide: "one over" }),
  "with the axis counted from the front": rms({ axes: [2] }),
}

for (const [name, expression] of Object.entries(rmsForms)) {
  test(`RMS normalization ${name}`, async () => {
    const graph = build(expression)
    const fused = fuse(graph)
    assert.deepEqual(operators(fused), ["Add", "SimplifiedLayerNormalization"])
    assert.deepEqual(fused.nodes[1]?.inputs.slice(1), ["scale"])
    await assertEqualResults(graph, fused, feeds, 2e-6)
  })
}

test("RMS normalization with a scale of 1 + weight, as Gemma's", async () => {
  const graph = build(rms({ divide: "reciprocal" }, (g, value) => g.add(one(g), value)))
  const fused = fuse(graph)
  assert.deepEqual(operators(fused), ["Add", "Add", "SimplifiedLayerNormalization"])
  await assertEqualResults(graph, fused, feeds, 2e-6)
})

const alone: Readonly<Record<string, Expression>> = {
  "another constant under erf": (g, v) => g.mul(g.mul(v, g.add(g.erf(g.div(v, g.scalar(1.5))), one(g))), half(g)),
  "the sigmoid of another input": (g, v) => g.mul(v, g.sigmoid(g.neg(v))),
  "another factor": (g, v) => g.mul(g.mul(v, gate(g, v)), g.scalar(0.25)),
  "another input": (g, v) => g.mul(g.mul(g.neg(v), gate(g, v)), half(g)),
  "tanh with another cubic factor": (g, v) =>
    g.mul(g.mul(half(g), v), tanhGate(g, g.mul(g.scalar(k), g.add(v, g.mul(g.scalar(0.04), g.pow(v, g.scalar(3))))))),
  "a constant of higher rank": (g, v) => g.mul(g.mul(v, gate(g, v)), g.constant(float32([1, 1, 1, 1], [0.5]))),
  "a power of 3": norm({ exponent: 3 }),
  "means over other axes": norm({ axes: [1] }),
  "two means over different axes": norm({ secondAxes: [1] }),
  "a scale that widens": norm({ scale: float32([2, 1, 4], [1, 2, 3, 4, 5, 6, 7, 8]) }),
  "a mean of cubes": rms({ exponent: 3 }),
  "a mean square over another axis": rms({ axes: [1] }),
  "a mean square with a scale of one element": rms({ scale: float32([1], [2]) }),
  "the mean square of something else": (g, v) =>
    g.mul(
      g.div(g.neg(v), g.sqrt(g.add(g.reduceMean(g.mul(v, v), [-1]), g.scalar(1e-5)))),
      g.initializer("scale", scale),
    ),
  "a scale of one element": norm({ scale: float32([1], [2]), bias: "none" }),
}

for (const [name, expression] of Object.entries(alone)) {
  test(`left alone: ${name}`, () => {
    const graph = build(expression)
    assert.deepEqual(operators(fuse(graph)), operators(graph))
  })
}

test("a bias that is not of the scale's shape stays an Add", async () => {
  const graph = build(norm({ bias: float32([3, 1], [1, 2, 3]) }))
  const fused = fuse(graph)
  assert.deepEqual(operators(fused), ["Add", "LayerNormalization", "Add"])
  await assertEqualResults(graph, fused, feeds, 2e-6)
})

test("left alone: intermediate values that something else reads, or that are outputs", () => {
  const g = new GraphBuilder()
  const input = g.input("x", "float32", [2, 3, 4])
  const erf = g.erf(g.div(input, g.scalar(Math.SQRT2)))
  const y = g.mul(g.mul(input, g.add(erf, one(g))), half(g))
  for (const graph of [g.build({ y, erf }), g.build({ y, other: g.neg(erf) })]) {
    assert.deepEqual(operators(fuse(graph)), operators(graph))
  }
  const h = new GraphBuilder()
  const v = h.input("x", "float32", [2, 3, 4])
  const z = norm()(h, v)
  // The mean is needed; what follows it is the RMS normalization of the difference.
  const graph = h.build({ z, mean: h.neg(h.reduceMean(v, [-1])) })
  assert.deepEqual(operators(fuse(graph)).toSorted(), [
    "Add",
    "Neg",
    "ReduceMean",
    "SimplifiedLayerNormalization",
    "Sub",
  ])
})

test("casts to a value's own type go, unless they make an output, and patterns show through", async () => {
  const cast = (g: GraphBuilder, v: Value): Value => g.op("Cast", [v], { attributes: { to: int(1) } })[0]!
  const graph = build((g, v) => {
    const wide = cast(g, v)
    const shifted = g.add(g.reduceMean(g.pow(wide, g.scalar(2)), [-1]), g.scalar(1e-5))
    const normalized = cast(g, g.mul(wide, g.reciprocal(g.sqrt(shifted))))
    return cast(g, g.mul(g.initializer("scale", scale), normalized))
  })
  const fused = fuse(graph)
  assert.deepEqual(operators(fused), ["Add", "SimplifiedLayerNormalization", "Identity"])
  await assertEqualResults(graph, fused, feeds, 2e-6)
})

test("another operator set is refused", () => {
  assert.throws(
    () => fuse(readGraph("bert-tiny/script-opset14.onnx")),
    (error: unknown) => error instanceof InvalidGraph && error.hint === "upgrade the graph first",
  )
})
