// What decompositions and `prepare` refuse, and what they keep.
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  bool,
  float32,
  type Graph,
  InvalidGraph,
  int32,
  type Node,
  prepare,
  string,
  type Tensor,
  UnknownOperatorSet,
  UnsupportedAttribute,
} from "../src/index.ts"
import { decompose } from "../src/passes/Decompose.ts"
import { type CompositeCase, compositeGraph, randomTensor } from "./support/composites.ts"

const x = (dims: readonly number[]) => randomTensor(dims)
const bytes = (dims: readonly number[], length: number): Tensor => ({
  type: "uint8",
  dims,
  data: new Uint8Array(length),
})
const qkv = [x([2, 3, 8]), x([2, 3, 8]), x([2, 3, 8])]
const gqa = [...qkv, undefined, undefined, int32([2], [2, 2]), int32([1], [3])]
const nBits = { K: 32, N: 4, bits: 4, block_size: 16 }

const refused: readonly (readonly [field: string, each: Omit<CompositeCase, "name">])[] = [
  ["num_heads", { op: "MultiHeadAttention", operands: qkv }],
  [
    "activation",
    { op: "FusedConv", operands: [x([1, 1, 4, 4]), x([1, 1, 2, 2])], attributes: { activation: string("Mish") } },
  ],
  ["axis", { op: "BiasSoftmax", operands: [x([2, 3, 4]), x([4])], attributes: { axis: 1 } }],
  [
    "past_sequence_length",
    { op: "MultiHeadAttention", operands: [...qkv, ...new Array(5), int32([1], [0])], attributes: { num_heads: 2 } },
  ],
  ["output_qk", { op: "MultiHeadAttention", operands: qkv, attributes: { num_heads: 2 }, outputs: [0, 3] }],
  [
    "key_padding_mask",
    { op: "MultiHeadAttention", operands: [...qkv, undefined, int32([1, 1, 1, 1], [1])], attributes: { num_heads: 2 } },
  ],
  ["do_rotary", { op: "Attention", operands: [x([2, 3, 4]), x([4, 24])], attributes: { num_heads: 2, do_rotary: 1 } }],
  ["kv_num_heads", { op: "GroupQueryAttention", operands: gqa, attributes: { num_heads: 2 } }],
  [
    "output_qk",
    { op: "GroupQueryAttention", operands: gqa, attributes: { num_heads: 2, kv_num_heads: 2 }, outputs: [0, 1, 2, 3] },
  ],
  [
    "k_scale",
    {
      op: "GroupQueryAttention",
      operands: [...gqa, ...new Array(5), x([1])],
      attributes: { num_heads: 2, kv_num_heads: 2 },
    },
  ],
  [
    "cos_cache",
    {
      op: "GroupQueryAttention",
      operands: [...gqa, x([4, 8]), x([4, 8])],
      attributes: { num_heads: 2, kv_num_heads: 2, do_rotary: 1 },
    },
  ],
  [
    "qk_matmul_output",
    {
      op: "Attention",
      domain: "",
      operands: qkv,
      attributes: { q_num_heads: 2, kv_num_heads: 2 },
      outputs: [0, 1, 2, 3],
    },
  ],
  ["q_num_heads", { op: "Attention", domain: "", operands: qkv }],
  ["num_heads", { op: "RotaryEmbedding", domain: "", operands: [x([2, 3, 8]), x([2, 3, 2]), x([2, 3, 2])] }],
  [
    "rotary_embedding_dim",
    {
      op: "RotaryEmbedding",
      domain: "",
      operands: [x([2, 2, 3, 8]), x([2, 3, 2]), x([2, 3, 2])],
      attributes: { rotary_embedding_dim: 8 },
    },
  ],
  [
    "scale",
    {
      op: "RotaryEmbedding",
      operands: [x([2, 3, 8]), int32([1], [0]), x([3, 2]), x([3, 2])],
      attributes: { num_heads: 2, scale: 0.5 },
    },
  ],
  [
    "is_packed_batching",
    {
      op: "RotaryEmbedding",
      operands: [x([2, 3, 8]), int32([1], [0]), x([3, 2]), x([3, 2])],
      attributes: { is_packed_batching: 1 },
    },
  ],
  ["mean", { op: "SkipLayerNormalization", operands: [x([2, 8]), x([2, 8]), x([8])], outputs: [0, 1] }],
  [
    "inv_std_var",
    { op: "SkipSimplifiedLayerNormalization", operands: [x([2, 8]), x([2, 8]), x([8])], outputs: [0, 2] },
  ],
  ["B", { op: "MatMulNBits", operands: [x([2, 32]), bytes([4, 2, 4], 32), x([8])], attributes: { ...nBits, bits: 2 } }],
  [
    "B",
    { op: "MatMulNBits", operands: [x([2, 32]), bytes([4, 2, 4], 32), x([8])], attributes: nBits, constants: [1, 2] },
  ],
  [
    "bits",
    {
      op: "MatMulNBits",
      operands: [x([2, 32]), bytes([4, 2, 8], 64), x([8])],
      attributes: { ...nBits, bits: 3 },
      constants: [1, 2],
    },
  ],
  [
    "g_idx",
    {
      op: "MatMulNBits",
      operands: [x([2, 32]), bytes([4, 2, 8], 64), x([8]), undefined, int32([32], new Array(32).fill(0))],
      attributes: nBits,
      constants: [1, 2],
    },
  ],
]

for (const [field, each] of refused) {
  test(`${each.op} with an impossible ${field} is refused by node and field`, () => {
    const { graph } = compositeGraph({ name: "refused", ...each }, false)
    assert.throws(
      () => decompose(graph),
      (error: unknown) =>
        error instanceof UnsupportedAttribute &&
        error.node === "composite" &&
        error.field === field &&
        error.message.includes(each.op) &&
        error.expected !== undefined,
    )
  })
}

test("a node that lacks an operand is refused by its name", () => {
  const { graph } = compositeGraph({ name: "g", op: "SkipLayerNormalization", operands: [x([2, 8]), x([2, 8])] }, false)
  assert.throws(
    () => prepare(graph),
    (error: unknown) => error instanceof InvalidGraph && error.field === "gamma" && error.node === "composite",
  )
})

const neg = (more: Partial<Node>): Node => ({
  op: "Neg",
  domain: "",
  name: "n",
  inputs: ["x"],
  outputs: ["y"],
  attributes: {},
  ...more,
})

const graphOf = (nodes: readonly Node[], more: Partial<Graph> = {}): Graph => ({
  name: "graph",
  inputs: [{ name: "x", type: "float32", dims: [2, 8] }],
  outputs: [{ name: "y", type: "float32", dims: [2, 8] }],
  nodes,
  initializers: new Map(),
  values: new Map(),
  opsets: new Map([["", 20]]),
  ...more,
})

test("prepare refuses operators of a set that nobody knows, in branches too", () => {
  const foreign = neg({ domain: "com.example", op: "Magic", name: "magic" })
  const inside = neg({ op: "If", attributes: { then_branch: { kind: "graph", value: graphOf([foreign]) } } })
  for (const nodes of [[foreign], [inside]]) {
    assert.throws(
      () => prepare(graphOf(nodes)),
      (error: unknown) =>
        error instanceof UnknownOperatorSet && error.node === "magic" && error.found === "com.example.Magic",
    )
  }
})

test("prepare binds inputs to values, and composites in branches are written in plain operators", () => {
  const swish = (name: string): Graph => ({
    ...graphOf([neg({ op: "QuickGelu", domain: "com.microsoft", outputs: [name], name })]),
    inputs: [],
    outputs: [{ name, type: "float32", dims: undefined }],
  })
  const rms: Graph = {
    ...swish("r"),
    nodes: [
      neg({
        op: "SkipSimplifiedLayerNormalization",
        domain: "com.microsoft",
        inputs: ["x", "x", "gamma"],
        outputs: ["r"],
        name: "skip",
      }),
    ],
  }
  const model = graphOf(
    [
      neg({
        op: "If",
        name: "if",
        inputs: ["cached"],
        attributes: { then_branch: { kind: "graph", value: rms }, else_branch: { kind: "graph", value: swish("q") } },
      }),
    ],
    {
      inputs: [
        { name: "x", type: "float32", dims: [2, 8] },
        { name: "cached", type: "bool", dims: [1] },
      ],
      initializers: new Map([["gamma", float32([8], new Array(8).fill(1))]]),
    },
  )
  const open = prepare(model)
  const branch = open.nodes[0]?.attributes["then_branch"]
  assert.ok(branch?.kind === "graph")
  assert.deepEqual(
    branch.value.nodes.map((node) => [node.op, ...node.outputs]),
    [
      ["Add", "skip/Add_0"],
      ["SimplifiedLayerNormalization", "r"],
    ],
  )
  const bound = prepare(model, { values: new Map([["cached", bool([1], [true])]]) })
  assert.deepEqual(
    bound.inputs.map(({ name }) => name),
    ["x"],
  )
  assert.deepEqual(
    bound.nodes.map((node) => [node.op, ...node.outputs]),
    [
      ["Add", "skip/Add_0"],
      ["SimplifiedLayerNormalization", "y"],
    ],
  )
  assert.deepEqual([...bound.initializers.keys()], ["gamma"])
})

test("masks and caches that layers share are one constant", () => {
  const attention = (input: string, output: string): Node =>
    neg({
      op: "MultiHeadAttention",
      domain: "com.microsoft",
      name: output,
      inputs: [input, input, input],
      outputs: [output],
      attributes: { num_heads: { kind: "int", value: 2 }, unidirectional: { kind: "int", value: 1 } },
    })
  const plain = decompose(
    graphOf([attention("x", "a"), attention("a", "y")], { inputs: [{ name: "x", type: "float32", dims: [1, 9, 8] }] }),
  )
  const masks = [...plain.initializers.values()].filter(({ dims }) => `${dims}` === "9,9")
  assert.equal(masks.length, 1)
})
