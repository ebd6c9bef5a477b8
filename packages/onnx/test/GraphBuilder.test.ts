import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Attributes,
  type Dims,
  float,
  float32,
  type Graph,
  GraphBuilder,
  InvalidGraph,
  int,
  int64,
  ints,
  isRandom,
  type Value,
} from "../src/index.ts"

const operators = (graph: Graph): readonly string[] => graph.nodes.map((node) => node.op)

const refused = (message: RegExp, body: () => unknown): void => {
  assert.throws(body, (error: unknown) => error instanceof InvalidGraph && message.test(error.message))
}

const start = (dims: Dims = [2, 3]) => {
  const g = new GraphBuilder()
  return { g, x: g.input("x", "float32", dims) }
}

test("equal nodes are made once, whatever their scope and name", () => {
  const { g, x } = start()
  const a = g.scope("first", () => g.mul(x, g.scalar(2)))
  const b = g.scope("second", () => g.mul(x, g.scalar(2)))
  assert.equal(a, b)
  assert.equal(g.op("Mul", [x, g.scalar(2)], { name: "again" })[0], a)
  assert.notEqual(g.mul(g.scalar(2), x), a)
  assert.deepEqual(operators(g.build({ y: g.add(a, b) })), ["Mul", "Add"])
})

test("nodes that differ in an attribute, in its kind, or in their number of outputs are two", () => {
  const { g, x } = start()
  const nodes = [
    g.op("Some", [x], { attributes: { a: int(1) } }),
    g.op("Some", [x], { attributes: { a: float(1) } }),
    g.op("Some", [x], { attributes: { a: ints([1]) } }),
    g.op("Some", [x], { attributes: { a: { kind: "string", value: "1" } } }),
    g.op("Some", [x], { attributes: { a: { kind: "strings", value: ["1"] } } }),
    g.op("Some", [x], { attributes: { a: { kind: "floats", value: [1] } } }),
    g.op("Some", [x], { attributes: { a: { kind: "tensor", value: float32([], [1]) } } }),
    g.op("Some", [x], { attributes: { a: { kind: "tensor", value: float32([1], [1]) } } }),
    g.op("Some", [x], { attributes: { b: int(1) } }),
    g.op("Some", [x], { outputs: 2 }),
    g.op("Some", [x], { domain: "own" }),
    g.op("Some", [x, undefined, x]),
    g.op("Some", [x, x]),
  ]
  assert.equal(new Set(nodes.map(([value]) => value?.name)).size, nodes.length)
  const again = g.op("Some", [x], { attributes: { a: { kind: "tensor", value: float32([], [1]) } } })
  assert.equal(again, nodes[6])
  assert.equal(g.op("Some", [x, undefined, undefined], { domain: "own" }), nodes[10])
})

test("attributes are compared without regard to their order", () => {
  const { g, x } = start()
  const one = g.op("Some", [x], { attributes: { a: int(1), b: int(2) } })
  assert.equal(g.op("Some", [x], { attributes: { b: int(2), a: int(1) } }), one)
})

test("Dropout and random operators are never merged", () => {
  const { g, x } = start()
  assert.notEqual(g.op("Dropout", [x])[0], g.op("Dropout", [x])[0])
  assert.notEqual(g.op("RandomUniformLike", [x])[0], g.op("RandomUniformLike", [x])[0])
  assert.notEqual(g.op("RandomNormal", [])[0], g.op("RandomNormal", [])[0])
})

test("a node is random where a graph inside it is, at any depth", () => {
  const branch = (op: string, attributes: Attributes = {}): Attributes => {
    const { g, x } = start()
    return { then_branch: { kind: "graph", value: g.build({ y: g.op(op, [x], { attributes })[0]! }) } }
  }
  for (const [attributes, expected] of [
    [branch("Some"), false],
    [branch("Bernoulli"), true],
    [branch("If", branch("If", branch("RandomNormalLike"))), true],
  ] as const) {
    const { g, x } = start()
    assert.equal(isRandom({ op: "If", attributes }), expected)
    const [one, other] = [0, 1].map(() => g.op("If", [x], { attributes })[0])
    assert.equal(one === other, !expected)
  }
})

test("equal small constants are one; 0 and −0, and types and shapes, are told apart", () => {
  const g = new GraphBuilder()
  assert.equal(g.scalar(1.5), g.constant(float32([], [1.5])))
  assert.notEqual(g.scalar(0), g.scalar(-0))
  assert.notEqual(g.scalar(1), g.constant(float32([1], [1])))
  assert.notEqual(g.indices([1]), g.constant({ type: "uint64", dims: [1], data: BigUint64Array.of(1n) }))
  const large = float32([100], new Float32Array(100))
  assert.equal(g.constant(large), g.constant(large))
  assert.notEqual(g.constant(large), g.constant({ ...large }))
  const text = (value: string) => g.constant({ type: "string", dims: [1], data: [value] })
  assert.equal(text("a"), text("a"))
  assert.notEqual(text("a"), text("b"))
})

test("an output gets its name; one that is an input, a constant or named twice gets an Identity", () => {
  const { g, x } = start()
  const y = g.neg(x)
  const graph = g.build({ first: y, second: y, x, same: x, two: g.scalar(2) }, "named")
  assert.equal(graph.name, "named")
  assert.deepEqual(
    graph.outputs.map(({ name, dims }) => [name, dims]),
    [
      ["first", [2, 3]],
      ["second", [2, 3]],
      ["x", [2, 3]],
      ["same", [2, 3]],
      ["two", []],
    ],
  )
  assert.deepEqual(
    graph.nodes.map(({ op, inputs, outputs }) => [op, inputs[0], outputs[0]]),
    [
      ["Neg", "x", "first"],
      ["Identity", "first", "second"],
      ["Identity", "x", "same"],
      ["Identity", graph.nodes[3]?.inputs[0], "two"],
    ],
  )
  assert.equal(graph.values.get("first")?.name, "first")
})

test("what no output needs is left out, inputs stay", () => {
  const { g, x } = start()
  g.input("unused", "int64", [])
  g.initializer("dead", float32([], [1]))
  g.exp(x)
  const graph = g.build({ y: g.neg(x) })
  assert.deepEqual(operators(graph), ["Neg"])
  assert.deepEqual([...graph.initializers.keys()], [])
  assert.deepEqual(
    graph.inputs.map((value) => value.name),
    ["x", "unused"],
  )
})

test("a builder can build several times", () => {
  const { g, x } = start()
  const y = g.neg(x)
  assert.deepEqual(operators(g.build({ y })), ["Neg"])
  const z = g.exp(y)
  assert.deepEqual(operators(g.build({ z })), ["Neg", "Exp"])
  assert.deepEqual(g.build({ y }).outputs, [{ name: "y", type: "float32", dims: [2, 3] }])
})

test("contradictions are refused where they are made", () => {
  const { g, x } = start()
  const other = new GraphBuilder()
  refused(/name x is used twice/, () => g.input("x", "float32", []))
  refused(/name x is used twice/, () => g.initializer("x", float32([], [1])))
  refused(/did not make/, () => other.neg(x))
  refused(/did not make/, () => g.neg({ name: "nowhere", type: undefined, dims: undefined }))
  refused(/operands of Add do not fit/, () => g.add(x, g.constant(float32([2], [1, 2]))))
  refused(/operands of Mul do not fit/, () => g.mul(x, g.indices([1])))
  refused(/operands of Where do not fit/, () => g.where(g.equal(x, x), x, g.constant(float32([4], [1, 2, 3, 4]))))
  refused(/operands of MatMul do not fit/, () => g.matmul(x, x))
  refused(/operands of MatMul do not fit/, () => g.matmul(x, g.scalar(1)))
  refused(/operands of Gemm do not fit/, () => g.gemm(x, x, { transA: true, transB: true }))
  refused(/operands of Reshape do not fit/, () => g.reshape(x, [4, 2]))
  refused(/operands of Transpose do not fit/, () => g.transpose(x, [1, 0, 2]))
  refused(/output x has the name of another value/, () => g.build({ x: g.neg(x) }))
})

test("symbolic dimensions are trusted until they contradict", () => {
  const { g, x } = start(["batch", "tokens", 8])
  const mask = g.input("mask", "float32", ["batch", "tokens"])
  const masked = g.mul(x, g.unsqueeze(mask, [-1]))
  assert.deepEqual(masked.dims, ["batch", "tokens", 8])
  assert.deepEqual(g.reshape(masked, [0, 0, 2, 4]).dims, ["batch", "tokens", 2, 4])
  assert.deepEqual(g.reshape(masked, [-1, 8]).dims?.[1], 8)
  assert.deepEqual(g.reduceSum(masked, [1], false).dims, ["batch", 8])
  assert.deepEqual(g.matmul(masked, g.transpose(masked, [0, 2, 1])).dims, ["batch", "tokens", "tokens"])
})

const affine = (): Graph => {
  const m = new GraphBuilder()
  const v = m.input("v", "float32", ["rows", 3])
  const w = m.initializer("w", float32([3, 3], new Float32Array(9).fill(2)))
  return m.build({ out: m.add(m.matmul(v, w), m.initializer("b", float32([3], [1, 2, 3]))) }, "affine")
}

test("call inlines a graph; the same bindings tie the weights", () => {
  const { g, x } = start()
  const model = affine()
  const w = g.input("w", "float32", [3, 3])
  const b = g.input("b", "float32", [3])
  const first = g.call(model, { v: x, w, b })["out"]!
  assert.equal(g.call(model, { v: x, w, b })["out"], first)
  assert.deepEqual(first.dims, [2, 3])
  const second = g.call(model, { v: first, w, b })["out"]!
  const graph = g.build({ second })
  assert.deepEqual(operators(graph), ["MatMul", "Add", "MatMul", "Add"])
  assert.equal(graph.initializers.size, 0)
  assert.deepEqual(
    graph.nodes.filter((node) => node.op === "MatMul").map((node) => node.inputs[1]),
    ["w", "w"],
  )
})

test("call keeps what is not bound as constants, the same for each call", () => {
  const { g, x } = start()
  const model = affine()
  const once = g.call(model, { v: x })["out"]!
  const graph = g.build({ y: g.call(model, { v: once })["out"]! })
  assert.equal(graph.initializers.size, 2)
  assert.deepEqual([...graph.initializers.values()].map((value) => value.dims).sort(), [[3], [3, 3]])
})

/** x · w + x of a batch `[rows, 3]`, the weight an input. */
const linear = (rows: number | string): Graph => {
  const m = new GraphBuilder()
  const x = m.input("x", "float32", [rows, 3])
  return m.build({ out: m.add(m.matmul(x, m.input("w", "float32", [3, 3])), x) }, "linear")
}

const names = (graph: Graph): readonly string[] => graph.inputs.map(({ name }) => name)

test("callWithInputs has an input for each of the called graph's, of its type and shape", () => {
  const g = new GraphBuilder()
  const { inputs, outputs } = g.callWithInputs(linear("batch"))
  const expected: Readonly<Record<string, Value>> = {
    x: { name: "x", type: "float32", dims: ["batch", 3] },
    w: { name: "w", type: "float32", dims: [3, 3] },
  }
  assert.deepEqual(inputs, expected)
  const graph = g.build({ y: g.mul(outputs["out"]!, inputs["x"]!) })
  assert.deepEqual(graph.inputs, Object.values(inputs))
  assert.deepEqual(operators(graph), ["MatMul", "Add", "Mul"])
})

test("callWithInputs ties the inputs that keep their names, and keeps apart those that are renamed", () => {
  const g = new GraphBuilder()
  const one = (side: string, rows: number) =>
    g.callWithInputs(linear(rows), (name) => (name === "w" ? name : `${side}.${name}`))
  const [a, b] = [one("query", 2), one("passage", 5)]
  assert.equal(a.inputs["w"], b.inputs["w"])
  const graph = g.build({ a: a.outputs["out"]!, b: b.outputs["out"]! })
  assert.deepEqual(names(graph), ["query.x", "w", "passage.x"])
  assert.deepEqual(
    graph.nodes.filter(({ op }) => op === "MatMul").map((node) => node.inputs),
    [
      ["query.x", "w"],
      ["passage.x", "w"],
    ],
  )
  assert.equal(
    g.callWithInputs(linear(2), (name) => `query.${name}`.replace("query.w", "w")).outputs["out"],
    a.outputs["out"],
  )
})

test("callWithInputs makes no input of what is bound", () => {
  const { g, x } = start()
  const w = g.initializer("weights", float32([3, 3], new Float32Array(9)))
  const { inputs } = g.callWithInputs(linear(2), (name) => `other.${name}`, { x, w })
  assert.deepEqual(inputs, { x, w })
  // An initializer of the called graph, too
  const { inputs: made, outputs } = g.callWithInputs(affine(), (name) => name, { w })
  assert.deepEqual(Object.keys(made), ["v"])
  const graph = g.build({ y: outputs["out"]! })
  assert.deepEqual(names(graph), ["x", "v"])
  assert.deepEqual([...graph.initializers.keys()].includes("weights"), true)
  assert.equal(graph.initializers.size, 2)
})

test("callWithInputs refuses a name that another value has", () => {
  const shape = start([4, 3])
  refused(/the name x of an input belongs to another value/, () => shape.g.callWithInputs(linear(2)))
  const type = new GraphBuilder()
  type.input("x", "float64", [2, 3])
  assert.throws(() => type.callWithInputs(linear(2)), {
    _tag: "InvalidGraph",
    field: "x",
    expected: "float32[2,3]",
    found: "float64[2,3]",
  })
  const stored = new GraphBuilder()
  stored.initializer("w", float32([3, 3], new Float32Array(9)))
  refused(/the name w of an input belongs to another value/, () => stored.callWithInputs(linear(2)))
  refused(/belongs to another value/, () => new GraphBuilder().callWithInputs(linear(2), () => "same"))
})

test("call passes on inputs that are outputs, and constants that are outputs", () => {
  const m = new GraphBuilder()
  const a = m.input("a", "float32", [2, 3])
  const through: Graph = { ...m.build({ b: m.neg(a) }), outputs: [a] }
  const { g, x } = start()
  assert.equal(g.call(through, { a: x })["a"], x)
})

test("call refuses what is not bound, foreign operator sets and broken graphs", () => {
  const { g, x } = start()
  const model = affine()
  refused(/input v of graph affine is not bound/, () => g.call(model, {}))
  refused(/another version of operator set ""/, () => g.call({ ...model, opsets: new Map([["", 17]]) }, { v: x }))
  const broken: Graph = { ...model, initializers: new Map() }
  refused(/graph affine reads w, which nothing makes/, () => g.call(broken, { v: x }))
  refused(/operands of MatMul do not fit/, () => g.call(model, { v: g.reshape(x, [6, 1]) }))
})

test("call takes over the operator sets of other domains", () => {
  const m = new GraphBuilder()
  const [made] = m.op("Thing", [m.input("a", "float32", [1])], { domain: "own" })
  const model = m.build({ b: made! })
  assert.equal(model.opsets.get("own"), 1)
  const g = new GraphBuilder()
  const value: Value = g.call(
    { ...model, opsets: new Map([...model.opsets, ["own", 3]]) },
    { a: g.input("x", "float32", [1]) },
  )["b"]!
  assert.equal(g.build({ value }).opsets.get("own"), 3)
})

test("typed shorthands leave out what does nothing", () => {
  const { g, x } = start()
  assert.equal(g.cast(x, "float32"), x)
  assert.equal(g.transpose(x, [0, 1]), x)
  assert.equal(g.concat([x], 0), x)
  assert.equal(g.cast(x, "float16").type, "float16")
  assert.deepEqual(g.zeros("int64", [2, 2]).dims, [2, 2])
  assert.equal(g.zeros("int64", [2, 2]).type, "int64")
  assert.deepEqual(
    g.split(x, [1, 2], 1).map((value) => value.dims),
    [
      [2, 1],
      [2, 2],
    ],
  )
  assert.deepEqual(g.gather(x, g.constant(int64([], [0]))).dims, [3])
  assert.deepEqual(g.slice(x, 1, 0, 3, 2).dims, [2, 2])
})

test("composes permutations and drops those that cancel out", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [2, 3, 4])
  const turned = g.transpose(x, [2, 0, 1])
  assert.equal(g.transpose(turned, [1, 2, 0]), x)
  const graph = g.build({ y: g.transpose(turned, [0, 2, 1]) })
  assert.deepEqual(
    graph.nodes.map(({ op, attributes }) => [op, attributes["perm"]]),
    [["Transpose", { kind: "ints", value: [2, 1, 0] }]],
  )
  assert.deepEqual(graph.outputs[0]?.dims, [4, 3, 2])
})

test("transposes what is smaller: a product, or its operands that are not transposed already", () => {
  const transposes = (a: readonly number[], b: readonly number[], turned: boolean) => {
    const g = new GraphBuilder()
    const swap = [0, 2, 1]
    const [left, right] = [g.input("a", "float32", a), g.input("b", "float32", b)]
    const graph = g.build({ y: g.transpose(g.matmul(left, turned ? g.transpose(right, swap) : right), swap) })
    assert.deepEqual(graph.outputs[0]?.dims, [5, turned ? b[1] : b[2], a[1]])
    return graph.nodes.filter(({ op }) => op === "Transpose").map(({ inputs }) => inputs[0])
  }
  assert.deepEqual(transposes([5, 4, 1], [5, 1, 4], false), ["b", "a"])
  assert.deepEqual(transposes([5, 2, 3], [5, 4, 3], true), ["a"])
  assert.equal(transposes([5, 2, 8], [5, 8, 4], false).length, 1)
})
