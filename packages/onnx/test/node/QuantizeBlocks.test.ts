import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type BlockOptions,
  decompose,
  float32,
  fromBlocks,
  type Graph,
  GraphBuilder,
  InvalidTensor,
  productWeights,
  quantizeBlocks,
  type Tensor,
  tensor,
  toBlocks,
  toHalf,
  toNumbers,
  withBlocks,
} from "../../src/index.ts"
import { seeded } from "../support/random.ts"
import { distance, run } from "./run.ts"

const normal = (seed: number, dims: readonly [number, number], deviation = 1): Tensor => {
  const random = seeded(seed)
  return float32(
    dims,
    Array.from({ length: dims[0] * dims[1] }, () => deviation * random.normal()),
  )
}

const forms: readonly BlockOptions[] = [4, 8].flatMap((bits) =>
  [16, 32].flatMap((blockSize) =>
    [true, false].map((symmetric) => ({ bits: bits === 4 ? 4 : 8, blockSize, symmetric })),
  ),
)

/** What each number is off by, in steps of its block. */
const errors = (weight: Tensor, { blockSize = 32, ...form }: BlockOptions): readonly number[] => {
  const blocks = toBlocks(weight, { ...form, blockSize, outputFirst: true })
  const found = toNumbers(fromBlocks(blocks))
  const perRow = Math.ceil(blocks.inputs / blockSize)
  return toNumbers(weight).map((value, index) => {
    const [row, column] = [Math.floor(index / blocks.inputs), index % blocks.inputs]
    const scale = Math.abs(Number(blocks.scales.data[row * perRow + Math.floor(column / blockSize)]))
    return scale === 0 ? Math.abs(value) : Math.abs(value - found[index]!) / scale
  })
}

for (const form of forms) {
  const shown = `${form.bits} bits, blocks of ${form.blockSize}, ${form.symmetric ? "" : "a"}symmetric`
  test(`${shown}: numbers are off by half a step, those beyond the last code by one`, () => {
    const weight = normal(1, [24, 72], 0.02)
    const worst = Math.max(...errors(weight, form))
    assert.ok(worst <= (form.symmetric ? 1 : 0.5) + 1e-3, `${worst} steps`)
    const beyond = errors(weight, form).filter((each) => each > 0.5 + 1e-3).length
    assert.ok(beyond < 0.02 * weight.data.length, `${beyond} beyond half a step`)
    // A block of one sign, of zeros, and of one number
    const odd = float32(
      [3, 16],
      [...Array.from({ length: 16 }, (_, i) => 3 + i / 16), ...new Array(16).fill(0), ...new Array(16).fill(-2)],
    )
    assert.ok(Math.max(...errors(odd, form)) <= 0.5 + 1e-3)
  })

  test(`${shown}: ONNX Runtime multiplies by what the blocks stand for, stored either way round`, async () => {
    const [w, t] = [normal(2, [40, 6]), normal(3, [6, 40])]
    const g = new GraphBuilder()
    const x = g.input("x", "float32", ["rows", 40])
    const [weight, turned] = [g.initializer("w", w), g.initializer("t", t)]
    const c = g.initializer("c", float32([6], [1, 2, 3, 4, 5, 6]))
    const built = g.build({
      plain: g.matmul(x, weight),
      wide: g.matmul(g.reshape(x, [1, -1, 40]), weight),
      byTranspose: g.matmul(x, g.transpose(turned, [1, 0])),
      gemm: g.gemm(x, turned, { transB: true, c, alpha: 0.5, beta: -2 }),
      bias: g.gemm(x, weight, { c }),
      // Of no product that could read blocks
      left: g.gemm(weight, x, { transA: true, transB: true }),
    })
    const quantized = quantizeBlocks(built, { ...form, minimumElements: 0 })
    const products = quantized.nodes.filter(({ op }) => op === "MatMulNBits")
    assert.equal(products.length, 5)
    const meant = new Map(
      (["w", "t"] as const).map((name) => {
        const outputFirst = productWeights(built).get(name) ?? false
        return [name, fromBlocks(toBlocks(name === "w" ? w : t, { ...form, outputFirst }))] as const
      }),
    )
    const feeds = { x: normal(4, [5, 40]) }
    const expected = await run({ ...built, initializers: new Map([...built.initializers, ...meant]) }, feeds)
    const [found, decomposed] = [await run(quantized, feeds), await run(decompose(quantized), feeds)]
    for (const name of ["plain", "wide", "byTranspose", "gemm", "bias"]) {
      assert.ok(distance(expected[name], found[name]) < 2e-5, name)
      assert.ok(distance(expected[name], decomposed[name]) < 2e-5, name)
    }
    assert.deepEqual(found["left"], (await run(built, feeds))["left"], "the weight that something else reads stays")
  })

  test(`${shown}: what came from blocks gives the same blocks`, () => {
    for (const outputFirst of [true, false]) {
      const once = toBlocks(normal(5, [40, 24]), { ...form, outputFirst })
      const again = toBlocks(fromBlocks(once), { ...form, outputFirst })
      if (form.symmetric === true) assert.deepEqual(again, once)
      else assert.ok(distance(fromBlocks(again), fromBlocks(once)) < 1e-5)
    }
  })
}

const graphOf = (): Graph => {
  const g = new GraphBuilder()
  const table = g.initializer("table", normal(6, [50, 64], 0.1))
  const rows = g.gather(table, g.input("ids", "int64", ["rows"]))
  const inner = g.relu(g.gemm(rows, g.initializer("up", normal(7, [128, 64], 0.1)), { transB: true }))
  const out = g.gemm(inner, g.initializer("down", normal(8, [64, 128], 0.1)), { transB: true })
  return g.build({ logits: g.gemm(g.add(out, rows), table, { transB: true }) })
}
const ids: Tensor = { type: "int64", dims: [3], data: BigInt64Array.of(0n, 7n, 49n) }

test("a table that is the output layer, too, stays as it is beside its blocks; in 16 bits the same", async () => {
  const graph = graphOf()
  const quantized = quantizeBlocks(graph)
  assert.deepEqual(
    [...quantized.initializers].filter(([, { type }]) => type === "float32").map(([name]) => name),
    ["table", "up_scales", "down_scales", "table_scales"],
  )
  const expected = await run(graph, { ids })
  const spread = Math.max(...toNumbers(expected["logits"]!).map(Math.abs))
  for (const form of [quantized, toHalf(quantized)]) {
    const off = distance(expected["logits"], (await run(form, { ids }))["logits"])
    assert.ok(off > 0 && off < 0.25 * spread, `${off} of ${spread}`)
  }
  const half = toHalf(quantized)
  assert.equal(half.initializers.get("up_scales")?.type, "float16")
  assert.equal(half.nodes.filter(({ op }) => op === "MatMulNBits").length, 3)
})

test("weights that are inputs get blocks as inputs in their place, and stay where something else reads them", async () => {
  const { initializers, ...rest } = graphOf()
  const weights = ["table", "up", "down"].map((name) => ({ name, ...initializers.get(name)! }))
  const graph: Graph = {
    ...rest,
    inputs: [...rest.inputs, ...weights.map(({ name, type, dims }) => ({ name, type, dims }))],
    initializers: new Map(),
  }
  const blocks = new Map(
    weights.map(({ name, ...value }) => [name, toBlocks(value, { symmetric: false, outputFirst: true })]),
  )
  const quantized = withBlocks(graph, blocks)
  const names = ["table", "up", "down"].flatMap((name) =>
    ["Q4", "scales", "zero_points"].map((part) => `${name}_${part}`),
  )
  assert.deepEqual(
    quantized.inputs.map(({ name }) => name),
    ["ids", "table", ...names],
  )
  const frozen = [...blocks].flatMap(([name, { codes, scales, zeroPoints }]) => [
    [`${name}_Q4`, codes],
    [`${name}_scales`, scales],
    [`${name}_zero_points`, zeroPoints!],
  ])
  const feeds = { ids, table: initializers.get("table")!, ...Object.fromEntries(frozen) }
  const asConstants = quantizeBlocks({ ...graph, inputs: rest.inputs, initializers }, { symmetric: false })
  assert.deepEqual(await run(quantized, feeds), await run(asConstants, feeds))
})

test("what cannot be stored in blocks is refused by name", () => {
  const bad =
    (weight: Tensor, more: BlockOptions = {}) =>
    () =>
      toBlocks(weight, { outputFirst: true, name: "w", ...more })
  for (const [attempt, words] of [
    [bad(float32([1, 2], [1, Number.NaN])), /element 1 of tensor w/],
    [bad(float32([2], [1, 2])), /no matrix/],
    [bad(tensor("int8", [1, 1], Int8Array.of(1))), /tensor w/],
    [bad(normal(1, [2, 2]), { blockSize: 24 }), /blocks of this size/],
    [bad(normal(1, [2, 2]), { blockSize: 8 }), /blocks of this size/],
  ] as const) {
    assert.throws(attempt, (error: unknown) => error instanceof InvalidTensor && words.test(error.message))
  }
})
