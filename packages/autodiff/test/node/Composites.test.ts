// Gradients through decompositions against finite differences of what ONNX Runtime's own operators compute.
import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  decompose,
  float,
  float32,
  type Graph,
  GraphBuilder,
  int,
  int32,
  int64,
  staticDims,
  string,
  type Tensor,
  toNumbers,
} from "@tandem/onnx"
import { differentiate, gradientName } from "../../src/Differentiate.ts"
import { spread } from "../cases/Values.ts"
import { cpu } from "../support/Run.ts"

const { run, close } = cpu()
after(close)

interface GradientCase {
  readonly name: string
  readonly op: string
  readonly domain?: string
  readonly opset?: number
  readonly operands: readonly (Tensor | undefined)[]
  readonly attributes?: Readonly<Record<string, number | string>>
  /** Positions of operands that are constants of the graph. */
  readonly constants?: readonly number[]
  readonly outputs?: readonly number[]
  /** Positions of the operands to differentiate by. */
  readonly wrt: readonly number[]
}

const x = (dims: readonly number[], seed: number) => spread(dims, -1.5, 1.7, seed)
const caches = [Math.cos, Math.sin].map((f) =>
  float32(
    [8, 8],
    Array.from({ length: 64 }, (_, i) => f(Math.floor(i / 8) / 10 ** ((i % 8) / 8))),
  ),
)
const ids = int64([2, 3], [1, 0, 2, 3, 3, 1])
const packed: Tensor = {
  type: "uint8",
  dims: [4, 2, 8],
  data: Uint8Array.from({ length: 64 }, (_, i) => (i * 37) % 256),
}

const cases: readonly GradientCase[] = [
  {
    name: "bias, mask of keys, causal",
    op: "MultiHeadAttention",
    operands: [x([2, 3, 8], 1), x([2, 3, 8], 2), x([2, 3, 8], 3), x([24], 4), int32([2, 3], [1, 1, 0, 1, 1, 1])],
    attributes: { num_heads: 2, unidirectional: 1 },
    wrt: [0, 1, 2, 3],
  },
  {
    name: "projection",
    op: "Attention",
    operands: [x([2, 3, 4], 1), x([4, 24], 2), x([24], 3)],
    attributes: { num_heads: 2 },
    wrt: [0, 1, 2],
  },
  ...[0, 1].map(
    (rotary_interleaved): GradientCase => ({
      name: `rotary, window, softcap, packed, interleaved ${rotary_interleaved}`,
      op: "GroupQueryAttention",
      operands: [
        x([2, 4, 6 * 16], 5),
        undefined,
        undefined,
        x([2, 1, 0, 16], 6),
        x([2, 1, 0, 16], 6),
        int32([2], [3, 3]),
        int32([1], [4]),
        ...caches,
      ],
      attributes: {
        num_heads: 4,
        kv_num_heads: 1,
        do_rotary: 1,
        rotary_interleaved,
        local_window_size: 2,
        softcap: 2.5,
      },
      constants: [5, 6],
      wrt: [0],
    }),
  ),
  {
    name: "sink of each head",
    op: "GroupQueryAttention",
    operands: [
      ...[4, 2, 2].map((heads, index) => x([2, 3, heads * 16], 7 + index)),
      undefined,
      undefined,
      int32([2], [2, 2]),
      int32([1], [3]),
      ...[undefined, undefined, undefined, undefined],
      x([4], 10),
    ],
    attributes: { num_heads: 4, kv_num_heads: 2 },
    constants: [5, 6],
    wrt: [0, 1, 2, 11],
  },
  {
    name: "shared key heads, mask, causal, softcap",
    op: "Attention",
    domain: "",
    opset: 23,
    operands: [x([2, 4, 3, 6], 11), x([2, 2, 3, 6], 12), x([2, 2, 3, 5], 13), x([3, 3], 14)],
    attributes: { is_causal: 1, softcap: 1.5 },
    wrt: [0, 1, 2, 3],
  },
  {
    name: "all, and the sum",
    op: "SkipLayerNormalization",
    operands: [x([2, 3, 8], 15), x([2, 3, 8], 16), x([8], 17), x([8], 18), x([8], 19)],
    outputs: [0, 3],
    wrt: [0, 1, 2, 3, 4],
  },
  {
    name: "all, and the sum",
    op: "SkipSimplifiedLayerNormalization",
    operands: [x([2, 3, 8], 15), x([2, 3, 8], 16), x([8], 17), x([8], 18)],
    outputs: [0, 3],
    wrt: [0, 1, 2, 3],
  },
  {
    name: "scale of fewer axes",
    op: "RMSNormalization",
    domain: "",
    opset: 23,
    operands: [x([2, 3, 8], 20), x([8], 21)],
    attributes: { axis: 1 },
    wrt: [0, 1],
  },
  {
    name: "tables",
    op: "EmbedLayerNormalization",
    operands: [
      int32([2, 3], toNumbers(ids)),
      int32([2, 3], [0, 1, 1, 0, 0, 1]),
      ...[x([4, 8], 22), x([5, 8], 23), x([2, 8], 24), x([8], 25), x([8], 26)],
    ],
    outputs: [0, 1],
    wrt: [2, 3, 4, 5, 6],
  },
  {
    name: "part of a head",
    op: "RotaryEmbedding",
    operands: [x([2, 3, 2 * 20], 27), ids, ...caches],
    attributes: { num_heads: 2, rotary_embedding_dim: 16 },
    wrt: [0],
  },
  {
    name: "frozen weights, towards the input and the bias",
    op: "MatMulNBits",
    operands: [x([2, 3, 32], 28), packed, x([8], 29), undefined, undefined, x([4], 30)],
    attributes: { K: 32, N: 4, bits: 4, block_size: 16 },
    constants: [1, 2],
    wrt: [0, 5],
  },
  {
    name: "batch axis behind",
    op: "FusedMatMul",
    operands: [x([3, 2, 4], 31), x([2, 5, 4], 32)],
    attributes: { transBatchA: 1, transB: 1, alpha: 0.5 },
    wrt: [0, 1],
  },
  {
    name: "Tanh after it",
    op: "FusedConv",
    operands: [x([1, 2, 5, 4], 33), x([2, 2, 3, 3], 34), x([2], 35)],
    attributes: { activation: "Tanh" },
    wrt: [0, 1, 2],
  },
  { name: "lower", op: "Trilu", operands: [x([2, 4, 5], 36)], attributes: { upper: 0 }, wrt: [0] },
]

const moved = (tensor: Tensor, direction: readonly number[], step: number): Tensor =>
  float32(
    tensor.dims,
    toNumbers(tensor).map((value, index) => value + step * direction[index]!),
  )

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, index) => sum + value * b[index]!, 0)

/** The graph of one node, and what to feed it. */
const graphOf = (each: GradientCase): { readonly graph: Graph; readonly feeds: Record<string, Tensor> } => {
  const { operands, constants = [], outputs = [0] } = each
  const given = operands.flatMap((tensor, index) =>
    tensor === undefined ? [] : [{ name: `operand${index}`, tensor, isConstant: constants.includes(index) }],
  )
  const results = Array.from({ length: Math.max(...outputs) + 1 }, (_, index) =>
    outputs.includes(index) ? `y${index}` : "",
  )
  const graph: Graph = {
    name: each.name,
    inputs: given
      .filter(({ isConstant }) => !isConstant)
      .map(({ name, tensor: { type, dims } }) => ({ name, type, dims })),
    outputs: outputs.map((index) => ({ name: `y${index}`, type: undefined, dims: undefined })),
    nodes: [
      {
        op: each.op,
        domain: each.domain ?? "com.microsoft",
        name: each.op,
        inputs: operands.map((tensor, index) => (tensor === undefined ? "" : `operand${index}`)),
        outputs: results,
        attributes: Object.fromEntries(
          Object.entries(each.attributes ?? {}).map(([name, value]) => [
            name,
            typeof value === "string" ? string(value) : Number.isInteger(value) ? int(value) : float(value),
          ]),
        ),
      },
    ],
    initializers: new Map(given.filter(({ isConstant }) => isConstant).map(({ name, tensor }) => [name, tensor])),
    values: new Map(),
    opsets: new Map([
      ["", each.opset ?? 20],
      ["com.microsoft", 1],
    ]),
  }
  return { graph, feeds: Object.fromEntries(given.map(({ name, tensor }) => [name, tensor])) }
}

for (const each of cases) {
  test(`${each.op}, ${each.name}: the gradient is the slope of ONNX Runtime's operator`, async () => {
    const { graph, feeds } = graphOf(each)
    const plain = decompose(graph)
    const g = new GraphBuilder()
    const inputs = Object.fromEntries(
      plain.inputs.map(({ name }) => [name, g.input(name, feeds[name]!.type, feeds[name]!.dims)]),
    )
    const weighted = new Map<string, Tensor>()
    const results = g.call({ ...plain, opsets: new Map([["", 20]]) }, inputs)
    const terms = Object.entries(results).flatMap(([name, value], index) => {
      if (value.type !== "float32") return []
      const dims = staticDims(value.dims) ?? []
      const u = x(dims, 90 + index)
      weighted.set(name, u)
      return [g.reduceSum(g.mul(value, g.constant(u)), [], false)]
    })
    const loss = terms.reduce((sum, term) => g.add(sum, term))
    const wrt = each.wrt.map((index) => `operand${index}`)
    const gradients = await run(differentiate(g.build({ loss }), { loss: "loss", wrt }), feeds)
    const objective = async (given: Readonly<Record<string, Tensor>>): Promise<number> => {
      const outputs = await run(graph, given)
      return [...weighted].reduce((sum, [name, u]) => sum + dot(toNumbers(u), toNumbers(outputs[name]!)), 0)
    }
    for (const [index, name] of wrt.entries()) {
      const gradient = toNumbers(gradients[gradientName(name)]!)
      const size = Math.sqrt(dot(gradient, gradient))
      const direction = toNumbers(x([gradient.length], 200 + index))
      const [ahead, behind] = await Promise.all(
        [1e-2, -1e-2].map((step) => objective({ ...feeds, [name]: moved(feeds[name]!, direction, step) })),
      )
      const [slope, found] = [(ahead! - behind!) / 2e-2, dot(gradient, direction)]
      const error = Math.abs(slope - found) / Math.max(Math.abs(slope), Math.abs(found), 0.2 * size, 1e-6)
      assert.ok(error < 1e-2, `${name}: slope ${slope}, gradient ${found}`)
    }
  })
}
