import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Attributes,
  float,
  float32,
  type Graph,
  int,
  int64,
  ints,
  type Node,
  string,
  type Tensor,
  UnknownOperatorSet,
  UnsupportedAttribute,
  UnsupportedModel,
  type Value,
} from "../../src/index.ts"
import { upgrade } from "../../src/passes/Upgrade.ts"
import { exports, readGraph } from "../support/golden.ts"
import { assertEqualResults, batch } from "./run.ts"

const data = float32(
  [2, 3, 4],
  Array.from({ length: 24 }, (_, index) => Math.sin(index * 1.7) * 2),
)

interface Case {
  readonly opset: number
  readonly op: string
  readonly attributes?: Attributes
  readonly operands?: Readonly<Record<string, Tensor>>
  readonly outputs?: number
}

const graphOf = ({ opset, op, attributes = {}, operands = {}, outputs = 1 }: Case, dims: Value["dims"]): Graph => {
  const results = Array.from({ length: outputs }, (_, index) => `y${index}`)
  const node: Node = {
    op,
    domain: "",
    name: "old",
    inputs: ["x", ...Object.keys(operands)],
    outputs: results,
    attributes,
  }
  return {
    name: "case",
    inputs: [{ name: "x", type: "float32", dims }],
    outputs: results.map((name) => ({ name, type: "float32", dims: undefined })),
    nodes: [node],
    initializers: new Map(Object.entries(operands)),
    values: new Map(),
    opsets: new Map([["", opset]]),
  }
}

const reductions = "Mean Max Min Prod L1 L2 SumSquare LogSumExp".split(" ").map(
  (op): Case => ({
    opset: 17,
    op: `Reduce${op}`,
    attributes: { axes: ints([-1, 0]), keepdims: int(0) },
  }),
)

const cases: readonly Case[] = [
  ...reductions,
  { opset: 11, op: "ReduceMean" },
  { opset: 12, op: "ReduceSum", attributes: { axes: ints([1]) } },
  { opset: 13, op: "ReduceSum", operands: { axes: int64([1], [1]) } },
  { opset: 11, op: "Unsqueeze", attributes: { axes: ints([0, 2]) } },
  { opset: 11, op: "Split", attributes: { axis: int(2), split: ints([1, 3]) }, outputs: 2 },
  { opset: 11, op: "Split", attributes: { axis: int(2) }, outputs: 2 },
  { opset: 17, op: "Split", attributes: { axis: int(2) }, outputs: 4 },
  { opset: 17, op: "Split", attributes: { axis: int(2) }, operands: { split: int64([2], [3, 1]) }, outputs: 2 },
  { opset: 9, op: "Slice", attributes: { axes: ints([1, 2]), starts: ints([0, 1]), ends: ints([2, -1]) } },
  { opset: 9, op: "Slice", attributes: { starts: ints([1]), ends: ints([2 ** 63]) } },
  { opset: 9, op: "Clip", attributes: { min: float(-0.5), max: float(0.75) } },
  { opset: 7, op: "Clip", attributes: { max: float(0.75) } },
  { opset: 8, op: "Slice", attributes: { starts: ints([0, -2]), ends: ints([1, 3]) } },
  { opset: 9, op: "Pad", attributes: { pads: ints([0, 1, 0, 0, 0, 2]), value: float(3) } },
  { opset: 11, op: "Dropout", attributes: { ratio: float(0.25) } },
  { opset: 11, op: "Softmax" },
  { opset: 12, op: "Softmax", attributes: { axis: int(0) } },
  { opset: 12, op: "LogSoftmax", attributes: { axis: int(-1) } },
  { opset: 12, op: "LogSoftmax", attributes: { axis: int(2) } },
  { opset: 12, op: "Hardmax", attributes: { axis: int(-2) } },
  { opset: 13, op: "Softmax", attributes: { axis: int(1) } },
]

for (const each of cases) {
  for (const dims of [[2, 3, 4], ["a", "b", "c"], undefined]) {
    const attributes = Object.entries(each.attributes ?? {}).map(([name, { value }]) => ` ${name}=${value}`)
    test(`${each.op} of opset ${each.opset}${attributes}, shape ${dims ?? "unknown"}: same results`, async () => {
      const before = graphOf(each, dims)
      const after = upgrade(before)
      assert.equal(after.opsets.get(""), 20)
      await assertEqualResults(before, after, { x: data }, 1e-6)
    })
  }
}

test("operators of opset 23 and 24 without a counterpart are decomposed", async () => {
  const scale = float32([4], [1, 2, -1, 0.5])
  const rms = { opset: 23, op: "RMSNormalization", attributes: { epsilon: float(1e-3) }, operands: { scale } }
  await assertEqualResults(graphOf(rms, [2, 3, 4]), upgrade(graphOf(rms, [2, 3, 4])), { x: data }, 1e-6)
  for (const alpha of [1, 1.5]) {
    const swish = upgrade(graphOf({ opset: 24, op: "Swish", attributes: { alpha: float(alpha) } }, [2, 3, 4]))
    const expected = Array.from(data.data, (value) => value / (1 + Math.exp(-alpha * value)))
    const constant: Graph = {
      ...swish,
      inputs: [],
      nodes: [],
      initializers: new Map([["y0", float32([2, 3, 4], expected)]]),
    }
    await assertEqualResults(constant, swish, { x: data }, 1e-6)
  }
})

for (const path of exports) {
  test(`${path}: equal results, no Constant left, weights keep their names`, async () => {
    const before = readGraph(path)
    const after = upgrade(before)
    await assertEqualResults(before, after, batch, 0)
    assert.equal(after.opsets.get(""), 20)
    assert.deepEqual(
      after.nodes.filter((node) => node.op === "Constant" || node.op === "Identity"),
      [],
    )
    for (const [name, weight] of before.initializers) assert.equal(after.initializers.get(name), weight)
    assert.deepEqual(upgrade(after), after)
  })
}

test("Identity goes, but an output and an input keep their names", async () => {
  const node = (op: string, inputs: readonly string[], outputs: readonly string[]): Node => ({
    op,
    domain: "",
    name: outputs.join(),
    inputs,
    outputs,
    attributes: {},
  })
  const before: Graph = {
    ...graphOf({ opset: 17, op: "Neg" }, [2, 3, 4]),
    outputs: ["copy", "second", "echo"].map((name) => ({ name, type: "float32", dims: [2, 3, 4] })),
    nodes: [
      node("Identity", ["x"], ["echo"]),
      node("Identity", ["x"], ["alias"]),
      node("Identity", ["alias"], ["again"]),
      node("Neg", ["again"], ["negative"]),
      node("Identity", ["negative"], ["copy"]),
      node("Exp", ["copy"], ["second"]),
    ],
  }
  const after = upgrade(before)
  assert.deepEqual(
    after.nodes.map(({ op, inputs, outputs }) => [op, ...inputs, ...outputs]),
    [
      ["Identity", "x", "echo"],
      ["Neg", "x", "negative"],
      ["Identity", "negative", "copy"],
      ["Exp", "copy", "second"],
    ],
  )
  await assertEqualResults(before, after, { x: data }, 0)
})

test("a subgraph is upgraded with its graph, captured values included", async () => {
  const branch = (name: string, op: string): Graph => ({
    name,
    inputs: [],
    outputs: [{ name: `${name}_y`, type: "float32", dims: undefined }],
    nodes: [
      { op: "Identity", domain: "", name: "i", inputs: ["alias"], outputs: [`${name}_i`], attributes: {} },
      {
        op,
        domain: "",
        name: "r",
        inputs: [`${name}_i`],
        outputs: [`${name}_y`],
        attributes: { axes: ints([1]) },
      },
    ],
    initializers: new Map(),
    values: new Map(),
    opsets: new Map([["", 12]]),
  })
  const before: Graph = {
    ...graphOf({ opset: 12, op: "If" }, [2, 3, 4]),
    initializers: new Map([["yes", { type: "bool", dims: [], data: Uint8Array.of(1) }]]),
    nodes: [
      { op: "Identity", domain: "", name: "i", inputs: ["x"], outputs: ["alias"], attributes: {} },
      {
        op: "If",
        domain: "",
        name: "if",
        inputs: ["yes"],
        outputs: ["y0"],
        attributes: {
          then_branch: { kind: "graph", value: branch("a", "ReduceSum") },
          else_branch: { kind: "graph", value: branch("b", "ReduceMax") },
        },
      },
    ],
  }
  const after = upgrade(before)
  assert.deepEqual(
    after.nodes.map((node) => node.op),
    ["If"],
  )
  await assertEqualResults(before, after, { x: data }, 1e-6)
})

test("Constant nodes of every kind become initializers", () => {
  const kinds: readonly (readonly [string, Attributes, Tensor])[] = [
    ["a", { value: { kind: "tensor", value: data } }, data],
    ["b", { value_float: float(0.5) }, float32([], [0.5])],
    ["c", { value_floats: { kind: "floats", value: [1, 2] } }, float32([2], [1, 2])],
    ["d", { value_int: int(7) }, int64([], [7])],
    ["e", { value_ints: ints([7, -8]) }, int64([2], [7, -8])],
    ["f", { value_string: string("é") }, { type: "string", dims: [], data: ["é"] }],
    ["g", { value_strings: { kind: "strings", value: ["x", "y"] } }, { type: "string", dims: [2], data: ["x", "y"] }],
  ]
  const after = upgrade({
    ...graphOf({ opset: 13, op: "Neg" }, [1]),
    outputs: kinds.map(([name, , { type, dims }]) => ({ name, type, dims })),
    nodes: kinds.map(([name, attributes]) => ({
      op: "Constant",
      domain: "",
      name,
      inputs: [],
      outputs: [name],
      attributes,
    })),
  })
  assert.deepEqual(after.nodes, [])
  for (const [name, , expected] of kinds) assert.deepEqual(after.initializers.get(name), expected)
})

test("what cannot be expressed is refused by name", () => {
  const refused: readonly (readonly [Case, RegExp])[] = [
    [{ opset: 24, op: "TensorScatter" }, /TensorScatter, opset 24/],
    [{ opset: 21, op: "GroupNormalization" }, /GroupNormalization, opset 21/],
    [{ opset: 21, op: "DequantizeLinear", attributes: { block_size: int(32) } }, /DequantizeLinear, opset 21/],
    [{ opset: 10, op: "Resize" }, /Resize, opset 10/],
    [{ opset: 13, op: "BatchNormalization", outputs: 5 }, /BatchNormalization, opset 13/],
    [{ opset: 13, op: "Constant", attributes: {} }, /holds no dense tensor/],
    [{ opset: 8, op: "BatchNormalization", attributes: { spatial: int(0) } }, /BatchNormalization, opset 8/],
  ]
  for (const [each, message] of refused) {
    assert.throws(
      () => upgrade(graphOf(each, [2, 3, 4])),
      (error: unknown) => error instanceof UnsupportedModel && message.test(error.message),
    )
  }
  for (const opset of [6, 25]) {
    assert.throws(
      () => upgrade(graphOf({ opset, op: "Neg" }, [2, 3, 4])),
      (error: unknown) =>
        error instanceof UnknownOperatorSet && error.found === `${opset}` && error.expected === "7 to 24",
    )
  }
  assert.throws(
    () => upgrade(graphOf({ opset: 23, op: "Attention", operands: { k: data, v: data } }, [2, 3, 4])),
    (error: unknown) => error instanceof UnsupportedAttribute && error.field === "q_num_heads" && error.node === "old",
  )
  const accepted: Case = { opset: 21, op: "DequantizeLinear", attributes: { block_size: int(0) } }
  assert.equal(upgrade(graphOf(accepted, [2])).nodes.length, 1)
})
