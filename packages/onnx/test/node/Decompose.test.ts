import assert from "node:assert/strict"
import { test } from "node:test"
import { decompositions } from "../../src/composites/table.ts"
import { bool, float, float32, int32, int64, ints, string, type Tensor, toNumbers } from "../../src/index.ts"
import { decompose } from "../../src/passes/Decompose.ts"
import { type CompositeCase, compositeGraph, randomTensor } from "../support/composites.ts"
import { distance, run } from "./run.ts"

const [batch, tokens, heads, size] = [2, 5, 4, 6]
const hidden = heads * size
const x = (dims: readonly number[], seed: number) => randomTensor(dims, seed)
const [q, k, v] = [1, 2, 3].map((seed) => x([batch, tokens, hidden], seed))
const longer = [4, 5].map((seed) => x([batch, 7, hidden], seed))
const past = [6, 7].map((seed) => x([batch, heads, 3, size], seed))
const num_heads = heads

const attention = (name: string, more: Partial<CompositeCase>): CompositeCase => ({
  name,
  op: "MultiHeadAttention",
  operands: [q, k, v],
  ...more,
  attributes: { num_heads, ...more.attributes },
})

const multiHead: readonly CompositeCase[] = [
  attention("plain", {}),
  attention("scale, causal", { attributes: { scale: 0.3, unidirectional: 1 } }),
  attention("cross attention, other value size", { operands: [q, longer[0], x([batch, 7, heads * 3], 8)] }),
  attention("bias", { operands: [q, k, v, x([3 * hidden], 9)] }),
  attention("lengths of rows", { operands: [q, ...longer, undefined, int32([2], [4, 7])] }),
  attention("mask of keys, filter", {
    operands: [q, k, v, undefined, int32([2, 5], [1, 1, 1, 0, 0, 1, 1, 1, 1, 1])],
    attributes: { mask_filter_value: -50.5 },
  }),
  attention("mask of each query", {
    operands: [
      q,
      k,
      v,
      undefined,
      int32(
        [2, 5, 5],
        Array.from({ length: 50 }, (_, i) => (i % 3 === 0 ? 0 : 1)),
      ),
    ],
  }),
  attention("attention bias, broadcast", { operands: [q, k, v, undefined, undefined, x([1, heads, 5, 5], 10)] }),
  attention("past and present, causal", {
    operands: [q, k, v, undefined, undefined, undefined, ...past],
    attributes: { unidirectional: 1 },
    outputs: [0, 1, 2],
  }),
  attention("keys and values with heads", {
    operands: [q, x([batch, heads, 7, size], 11), x([batch, heads, 7, size], 12)],
  }),
  attention("present without past", { outputs: [0, 1, 2] }),
]

const packed: readonly CompositeCase[] = [
  {
    name: "mask of keys",
    op: "Attention",
    operands: [
      x([batch, tokens, 8], 13),
      x([8, 3 * hidden], 14),
      x([3 * hidden], 15),
      int32([2, 5], [1, 1, 1, 0, 0, 1, 1, 1, 1, 1]),
    ],
    attributes: { num_heads },
  },
  {
    name: "sizes, causal",
    op: "Attention",
    operands: [x([batch, tokens, 8], 13), x([8, 2 * hidden + 12], 14), x([2 * hidden + 12], 15)],
    attributes: { num_heads, unidirectional: 1, qkv_hidden_sizes: { kind: "ints", value: [hidden, hidden, 12] } },
  },
  {
    name: "past and present",
    op: "Attention",
    operands: [
      x([batch, tokens, 8], 13),
      x([8, 3 * hidden], 14),
      x([3 * hidden], 15),
      undefined,
      x([2, batch, heads, 3, size], 16),
    ],
    attributes: { num_heads, unidirectional: 1 },
    outputs: [0, 1],
  },
]

const [kvHeads, even] = [2, 16]
const gq = x([batch, tokens, heads * even], 20)
const [gk, gv] = [21, 22].map((seed) => x([batch, tokens, kvHeads * even], seed))
const caches = (columns: number): readonly Tensor[] => {
  const angles = Array.from(
    { length: 16 * columns },
    (_, i) => Math.floor(i / columns) / 10 ** ((i % columns) / columns),
  )
  return [Math.cos, Math.sin].map((f) => float32([16, columns], angles.map(f)))
}
const prompt = [int32([2], [4, 4]), int32([1], [5])] as const
const later = [int32([1], [7]), int32([1], [8])] as const
const [lq, lk, lv] = [heads, kvHeads, kvHeads].map((count, index) => x([1, tokens, count * even], 35 + index))
const none = [23, 24].map((seed) => x([batch, kvHeads, 0, even], seed))
const earlier = [23, 24].map((seed) => x([1, kvHeads, 3, even], seed))

const grouped = (name: string, more: Partial<CompositeCase>): CompositeCase => ({
  name,
  op: "GroupQueryAttention",
  operands: [gq, gk, gv, undefined, undefined, ...prompt],
  outputs: [0, 1, 2],
  constants: [5, 6],
  ...more,
  attributes: { num_heads, kv_num_heads: kvHeads, ...more.attributes },
})

const groupQuery: readonly CompositeCase[] = [
  grouped("plain", {}),
  grouped("scale and softcap", { attributes: { scale: 0.5, softcap: 2.5 } }),
  grouped("local window", { attributes: { local_window_size: 2 } }),
  grouped("local window behind a past", {
    operands: [lq, lk, lv, ...earlier, ...later],
    attributes: { local_window_size: 4 },
  }),
  grouped("rotary", { operands: [gq, gk, gv, ...none, ...prompt, ...caches(8)], attributes: { do_rotary: 1 } }),
  grouped("rotary, part of a head", {
    operands: [
      ...[heads, kvHeads, kvHeads].map((count) => x([batch, tokens, count * 32], 38 + count)),
      undefined,
      undefined,
      ...prompt,
      ...caches(8),
    ],
    attributes: { do_rotary: 1 },
  }),
  grouped("rotary, interleaved, behind a past", {
    operands: [lq, lk, lv, ...earlier, ...later, ...caches(8)],
    attributes: { do_rotary: 1, rotary_interleaved: 1 },
  }),
  grouped("packed", {
    operands: [
      x([batch, tokens, (heads + 2 * kvHeads) * even], 25),
      undefined,
      undefined,
      ...none,
      ...prompt,
      ...caches(8),
    ],
    attributes: { do_rotary: 1 },
  }),
  grouped("positions", {
    operands: [gq, gk, gv, ...none, ...prompt, ...caches(8), int64([2, 5], [3, 4, 5, 6, 7, 0, 1, 2, 3, 4])],
    attributes: { do_rotary: 1 },
  }),
  grouped("positions behind a past", {
    operands: [lq, lk, lv, ...earlier, ...later, ...caches(8), int64([1, 5], [2, 4, 6, 8, 9])],
    attributes: { do_rotary: 1 },
  }),
  grouped("attention bias", {
    operands: [gq, gk, gv, ...none, ...prompt, undefined, undefined, undefined, x([batch, 1, 5, 5], 26)],
    attributes: { softcap: 3.5 },
  }),
  grouped("smooth softmax", { attributes: { smooth_softmax: 1 } }),
  grouped("sink of each head", {
    operands: [gq, gk, gv, ...none, ...prompt, undefined, undefined, undefined, undefined, x([heads], 27)],
  }),
  grouped("one head of keys", {
    operands: [gq, ...[28, 29].map((seed) => x([batch, tokens, even], seed)), undefined, undefined, ...prompt],
    attributes: { kv_num_heads: 1 },
  }),
]

const standard = (name: string, more: Partial<CompositeCase>): CompositeCase => ({
  name,
  op: "Attention",
  domain: "",
  opset: 23,
  operands: [gq, gk, gv],
  ...more,
  attributes: { q_num_heads: heads, kv_num_heads: kvHeads, ...more.attributes },
})

const headsApart = [
  x([batch, heads, tokens, even], 30),
  x([batch, kvHeads, 7, even], 31),
  x([batch, kvHeads, 7, 3], 32),
] as const
const seen = bool(
  [5, 5],
  Array.from({ length: 25 }, (_, i) => i % 4 !== 3),
)

const onnxAttention: readonly CompositeCase[] = [
  standard("3 axes", {}),
  standard("4 axes", { operands: headsApart, attributes: { q_num_heads: 0, kv_num_heads: 0 } }),
  standard("causal, scale", { attributes: { is_causal: 1, scale: 0.4 } }),
  standard("causal, fewer queries than keys", {
    operands: headsApart,
    attributes: { q_num_heads: 0, kv_num_heads: 0, is_causal: 1 },
  }),
  standard("truth mask", { operands: [gq, gk, gv, seen] }),
  standard("number mask with softcap", {
    operands: [gq, gk, gv, x([batch, 1, 5, 5], 33)],
    attributes: { softcap: 2.5 },
  }),
  standard("mask and causal", { operands: [gq, gk, gv, x([heads, 5, 5], 34)], attributes: { is_causal: 1 } }),
  standard("past and present, causal", {
    operands: [lq, lk, lv, undefined, ...earlier],
    attributes: { is_causal: 1 },
    outputs: [0, 1, 2],
  }),
  standard("precision of the softmax", { attributes: { softmax_precision: 1 } }),
  standard("opset 24, keys that count", {
    opset: 24,
    operands: [...headsApart, undefined, undefined, undefined, int64([2], [4, 7])],
    attributes: { q_num_heads: 0, kv_num_heads: 0 },
    constants: [6],
  }),
]

const ids = int64([2, 5], [1, 2, 3, 4, 5, 6, 0, 1, 2, 3])
const rotary: readonly CompositeCase[] = [
  ...[0, 1].flatMap((interleaved): CompositeCase[] => [
    {
      name: `positions, interleaved ${interleaved}`,
      op: "RotaryEmbedding",
      operands: [gq, ids, ...caches(8)],
      attributes: { interleaved },
    },
    {
      name: `where the first token stands, interleaved ${interleaved}`,
      op: "RotaryEmbedding",
      operands: [x([batch, heads, tokens, even], 40), int64([1], [3]), ...caches(8)],
      attributes: { interleaved },
    },
    {
      name: `part of a head, interleaved ${interleaved}`,
      op: "RotaryEmbedding",
      operands: [gq, ids, ...caches(4)],
      attributes: { interleaved, num_heads, rotary_embedding_dim: 8 },
    },
    {
      name: `opset 23, positions, interleaved ${interleaved}`,
      op: "RotaryEmbedding",
      domain: "",
      opset: 23,
      operands: [gq, ...caches(8), ids],
      attributes: { interleaved, num_heads },
    },
    {
      name: `opset 23, angles by token, part of a head, interleaved ${interleaved}`,
      op: "RotaryEmbedding",
      domain: "",
      opset: 23,
      operands: [x([batch, heads, tokens, even], 40), x([batch, tokens, 4], 41), x([batch, tokens, 4], 42)],
      attributes: { interleaved, rotary_embedding_dim: 8 },
    },
  ]),
]

const [input, skip, gamma, beta, bias] = [
  x([2, 3, 8], 50),
  x([2, 3, 8], 51),
  ...[52, 53, 54].map((seed) => x([8], seed)),
]
const epsilon = float(1e-4)
const norms: readonly CompositeCase[] = [
  {
    name: "all",
    op: "SkipLayerNormalization",
    operands: [input, skip, gamma, beta, bias],
    attributes: { epsilon },
    outputs: [0, 3],
  },
  { name: "no bias", op: "SkipLayerNormalization", operands: [input, skip, gamma] },
  { name: "skip without batch", op: "SkipLayerNormalization", operands: [input, x([3, 8], 55), gamma, beta] },
  {
    name: "all",
    op: "SkipSimplifiedLayerNormalization",
    operands: [input, skip, gamma, bias],
    attributes: { epsilon },
    outputs: [0, 3],
  },
  { name: "no bias", op: "SkipSimplifiedLayerNormalization", operands: [input, skip, gamma] },
  {
    name: "last axis",
    op: "RMSNormalization",
    domain: "",
    opset: 23,
    operands: [input, gamma],
    attributes: { epsilon },
  },
  {
    name: "two axes",
    op: "RMSNormalization",
    domain: "",
    opset: 23,
    operands: [input, x([3, 8], 56)],
    attributes: { axis: 1 },
  },
  {
    name: "scale of fewer axes",
    op: "RMSNormalization",
    domain: "",
    opset: 23,
    operands: [input, gamma],
    attributes: { axis: -2 },
  },
  ...[true, false].map(
    (whole): CompositeCase => ({
      name: whole ? "segments, mask" : "words and positions",
      op: "EmbedLayerNormalization",
      operands: [
        int32([2, 3], [1, 2, 3, 3, 0, 1]),
        whole ? int32([2, 3], [0, 0, 1, 1, 0, 1]) : undefined,
        x([4, 8], 57),
        x([6, 8], 58),
        whole ? x([2, 8], 59) : undefined,
        gamma,
        beta,
        ...(whole ? [int32([2, 3], [1, 1, 0, 1, 1, 1])] : []),
      ],
      attributes: { epsilon },
      outputs: [0, 1, 2],
    }),
  ),
]

const products: readonly CompositeCase[] = [
  {
    name: "transposed, factor",
    op: "FusedMatMul",
    operands: [x([2, 4, 3], 60), x([2, 5, 4], 61)],
    attributes: { transA: 1, transB: 1, alpha: 0.5 },
  },
  {
    name: "batch axis behind",
    op: "FusedMatMul",
    operands: [x([3, 2, 4], 60), x([2, 4, 5], 61)],
    attributes: { transBatchA: 1 },
  },
  {
    name: "by its old name",
    op: "TransposeMatMul",
    operands: [x([2, 4, 3], 60), x([2, 5, 4], 61)],
    attributes: { transA: 1, transB: 1 },
  },
  {
    name: "batch axis behind, transposed",
    op: "FusedMatMul",
    operands: [x([4, 2, 3], 60), x([5, 2, 4], 61)],
    attributes: { transBatchA: 1, transA: 1, transBatchB: 1, transB: 1 },
  },
  {
    name: "Relu",
    op: "FusedGemm",
    operands: [x([4, 3], 62), x([5, 4], 63), x([5], 64)],
    attributes: { transA: 1, transB: 1, alpha: 0.5, activation: string("Relu") },
  },
  {
    name: "LeakyRelu",
    op: "FusedGemm",
    operands: [x([3, 4], 62), x([4, 5], 63), x([5], 64)],
    attributes: { beta: 0.5, activation: string("LeakyRelu"), activation_alpha: 0.25 },
  },
  {
    name: "Relu, strides",
    op: "FusedConv",
    operands: [x([2, 3, 6, 6], 65), x([4, 3, 3, 3], 66), x([4], 67)],
    attributes: { activation: string("Relu"), strides: ints([2, 2]), pads: ints([1, 1, 0, 0]) },
  },
  ...(
    [
      ["LeakyRelu", [0.25]],
      ["HardSigmoid", [0.3, 0.4]],
      ["Clip", [-0.5, 0.75]],
      ["Tanh", []],
    ] as const
  ).map(
    ([activation, numbers]): CompositeCase => ({
      name: activation,
      op: "FusedConv",
      operands: [x([1, 2, 5, 4], 65), x([2, 2, 3, 3], 66), x([2], 67)],
      attributes: { activation: string(activation), activation_params: { kind: "floats", value: numbers } },
    }),
  ),
  { name: "lower", op: "Trilu", operands: [x([2, 4, 5], 68), int64([], [1])], attributes: { upper: 0 } },
  { name: "upper", op: "Trilu", operands: [x([4, 4], 68)] },
]

/** The same operands in one tensor, which ONNX Runtime computes on other devices alone. */
const joined = (parts: readonly Tensor[]): Tensor => {
  const [rows, width] = [batch * tokens, size]
  const data = Array.from({ length: rows * heads }, (_, place) =>
    parts.flatMap((part) => toNumbers(part).slice(place * width, (place + 1) * width)),
  )
  return float32([batch, tokens, heads, parts.length, size], data.flat())
}

for (const [name, operands] of [
  ["queries, keys and values in one", [joined([q!, k!, v!])]],
  ["keys and values in one", [q, joined([k!, v!])]],
] as const) {
  for (const bias of [undefined, x([3 * hidden], 9)]) {
    test(`com.microsoft.MultiHeadAttention, ${name}${bias === undefined ? "" : ", bias"}: as of operands apart`, async () => {
      const apart = compositeGraph(attention(name, { operands: [q, k, v, bias] }), false)
      const filled = [operands[0], operands[1], undefined, bias]
      const packedGraph = compositeGraph(attention(name, { operands: filled }), false)
      const expected = await run(apart.graph, apart.feeds)
      const found = await run(decompose(packedGraph.graph), packedGraph.feeds)
      assert.ok(distance(expected["y0"], found["y0"]) <= 1e-5)
    })
  }
}

const bytes = (dims: readonly number[], seed: number): Tensor => ({
  type: "uint8",
  dims,
  data: Uint8Array.from(toNumbers(randomTensor(dims, seed, 500)), (value) => Math.abs(value) % 256),
})
const nBits = (bits: number, more: Partial<CompositeCase>): CompositeCase => ({
  name: `${bits} bits`,
  op: "MatMulNBits",
  operands: [x([2, 3, 40], 70), bytes([6, 3, (16 * bits) / 8], 71), x([6 * 3], 72)],
  constants: [1, 2, 3, 5],
  ...more,
  attributes: { K: 40, N: 6, block_size: 16, bits, ...more.attributes },
})
const quantized: readonly CompositeCase[] = [
  nBits(4, {}),
  nBits(8, {}),
  nBits(4, {
    name: "4 bits, zero points, bias",
    operands: [x([2, 3, 40], 70), bytes([6, 3, 8], 71), x([6 * 3], 72), bytes([6 * 2], 73), undefined, x([6], 74)],
  }),
  nBits(4, {
    name: "4 bits, zero points as numbers",
    operands: [x([2, 3, 40], 70), bytes([6, 3, 8], 71), x([6 * 3], 72), x([6, 3], 73)],
  }),
  nBits(2, { name: "2 bits", operands: [x([2, 3, 40], 70), bytes([6, 3, 4], 71), x([6 * 3], 72)] }),
]

test("products that a file allows to round their activations are computed in floats", async () => {
  const [rounded, exact] = [4, 0].map((accuracy_level) =>
    compositeGraph(nBits(4, { attributes: { accuracy_level } }), false),
  )
  const expected = await run(exact!.graph, exact!.feeds)
  assert.notDeepEqual(await run(rounded!.graph, rounded!.feeds), expected)
  assert.deepEqual(await run(decompose(rounded!.graph), rounded!.feeds), expected)
})

const all = [...multiHead, ...packed, ...groupQuery, ...onnxAttention, ...rotary, ...norms, ...products, ...quantized]

for (const each of all) {
  const domain = each.domain ?? "com.microsoft"
  for (const symbolic of [false, true]) {
    test(`${domain === "" ? "" : `${domain}.`}${each.op}, ${each.name}${symbolic ? ", symbolic" : ""}: as ONNX Runtime computes it`, async () => {
      const { graph, feeds } = compositeGraph(each, symbolic)
      const plain = decompose(graph)
      assert.ok(plain.nodes.every((node) => !Object.hasOwn(decompositions, node.op)))
      const expected = await run(graph, feeds)
      // What needed a newer operator set than the builder's is of it no more
      const found = await run({ ...plain, opsets: new Map([...plain.opsets, ["", 20]]) }, feeds)
      for (const name of Object.keys(expected)) {
        const difference = distance(expected[name], found[name])
        const largest = Math.max(1, ...toNumbers(expected[name]!).map((value) => Math.abs(value) || 0))
        assert.ok(difference <= 1e-5 * largest, `${name} differs by ${difference}, at most ${largest}`)
      }
    })
  }
}

test("what ONNX Runtime computes on GPUs alone is what its documentation says", async () => {
  const [data, bias, skip] = [x([2, 3, 4], 80), x([4], 81), x([2, 3, 4], 82)]
  const [values, shifts, rests] = [data, bias, skip].map(toNumbers)
  const added = compositeGraph({ name: "sums", op: "BiasAdd", operands: [data, bias, skip] }, false)
  const sums = float32(
    [2, 3, 4],
    values!.map((value, at) => value + shifts![at % 4]! + rests![at]!),
  )
  assert.ok(distance(sums, (await run(decompose(added.graph), added.feeds))["y0"]) <= 1e-5)
  const wide = x([2, 1, 4], 83)
  const soft = compositeGraph(
    { name: "soft", op: "BiasSoftmax", operands: [data, wide], attributes: { axis: 2 } },
    false,
  )
  const powers = values!.map((value, at) => Math.exp(value + toNumbers(wide)[4 * Math.floor(at / 12) + (at % 4)]!))
  const shares = powers.map((power, at) => {
    const row = powers.slice(4 * Math.floor(at / 4), 4 * Math.floor(at / 4) + 4)
    return power / row.reduce((sum, each) => sum + each, 0)
  })
  assert.ok(distance(float32([2, 3, 4], shares), (await run(decompose(soft.graph), soft.feeds))["y0"]) <= 1e-5)
})

test("every decomposition is compared with ONNX Runtime", () => {
  const compared = new Set(all.map(({ op, domain = "com.microsoft" }) => (domain === "" ? op : `${domain}.${op}`)))
  // No build of ONNX Runtime 1.30 computes Swish; test/node/Upgrade.test.ts has it. Two only GPUs compute; see above.
  assert.deepEqual(
    Object.keys(decompositions).filter((op) => !compared.has(op)),
    ["Swish", "com.microsoft.BiasAdd", "com.microsoft.BiasSoftmax"],
  )
})
