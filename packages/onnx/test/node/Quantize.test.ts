import assert from "node:assert/strict"
import { test } from "node:test"
import * as web from "onnxruntime-web/wasm"
import {
  type Dims,
  float32,
  fold,
  fuse,
  type Graph,
  GraphBuilder,
  InvalidTensor,
  int64,
  quantizeDynamic,
  type Tensor,
  upgrade,
  type Value,
  writeModel,
} from "../../src/index.ts"
import { exports, readGraph } from "../support/golden.ts"
import { seeded } from "../support/random.ts"
import { batch, run } from "./run.ts"

const variants = [{}, { weights: "uint8" }, { perChannel: false }, { weights: "uint8", perChannel: false }] as const

const operators = (graph: Graph): readonly string[] => graph.nodes.map((node) => node.op)

/** The smallest cosine between corresponding rows. */
const worstCosine = (a: Tensor | undefined, b: Tensor | undefined): number => {
  assert.ok(a !== undefined && b !== undefined)
  assert.deepEqual(a.dims, b.dims)
  const width = a.dims.at(-1) ?? 1
  const cosines = Array.from({ length: a.data.length / width }, (_, row) => {
    let [dot, left, right] = [0, 0, 0]
    for (let index = row * width; index < (row + 1) * width; index++) {
      const [p, q] = [Number(a.data[index]), Number(b.data[index])]
      dot += p * q
      left += p * p
      right += q * q
    }
    return dot / Math.sqrt(left * right)
  })
  return Math.min(...cosines)
}

/**
 * Runs a model by WebAssembly, whose 8-bit products are exact on every machine: those of x86 processors without VNNI
 * saturate where weights are `int8`.
 */
const runExactly = async (
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Readonly<Record<string, Tensor>>> => {
  const session = await web.InferenceSession.create(writeModel(graph))
  try {
    const known = Object.entries(feeds).filter(([name]) => session.inputNames.includes(name))
    const inputs = known.map(([name, { data, dims }]) => {
      if (data instanceof BigInt64Array) return [name, new web.Tensor("int64", data, dims)] as const
      assert.ok(data instanceof Float32Array)
      return [name, new web.Tensor("float32", data, dims)] as const
    })
    const results = await session.run(Object.fromEntries(inputs))
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims }]) => {
        assert.ok(data instanceof Float32Array)
        return [name, float32([...dims], data)]
      }),
    )
  } finally {
    await session.release()
  }
}

const normal = (seed: number, dims: readonly number[], deviation: number): Tensor => {
  const random = seeded(seed)
  const count = dims.reduce((product, size) => product * size, 1)
  return float32(
    dims,
    Float32Array.from({ length: count }, () => deviation * random.normal()),
  )
}

/** A post-norm encoder with random weights: embeddings, two blocks of attention and feed-forward. */
const encoder = (): Graph => {
  const [vocabulary, hidden, heads, inner] = [1000, 128, 4, 512]
  const g = new GraphBuilder()
  let seed = 0
  const weight = (name: string, dims: readonly number[], deviation: number): Value =>
    g.initializer(name, normal(++seed, dims, deviation))
  const dims: Dims = ["batch", "sequence"]
  const ids = g.input("input_ids", "int64", dims)
  const linear = (name: string, x: Value, from: number, to: number): Value =>
    g.add(g.matmul(x, weight(`${name}.weight`, [from, to], 0.08)), weight(`${name}.bias`, [to], 0.1))
  const norm = (name: string, x: Value): Value =>
    g.layerNormalization(
      x,
      g.initializer(`${name}.weight`, float32([hidden], new Float32Array(hidden).fill(1))),
      weight(`${name}.bias`, [hidden], 0.1),
      1e-12,
    )
  const split = (x: Value): Value => g.transpose(g.reshape(x, [0, 0, heads, hidden / heads]), [0, 2, 1, 3])
  let x = norm("embeddings.norm", g.gather(weight("embeddings.word", [vocabulary, hidden], 0.5), ids))
  for (const layer of ["0", "1"]) {
    const [q, k, v] = ["q", "k", "v"].map((part) => split(linear(`${layer}.${part}`, x, hidden, hidden)))
    const scores = g.mul(g.matmul(q!, g.transpose(k!, [0, 1, 3, 2])), g.scalar(1 / Math.sqrt(hidden / heads)))
    const mixed = g.matmul(g.softmax(scores), v!)
    const merged = g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [0, 0, hidden])
    x = norm(`${layer}.norm1`, g.add(x, linear(`${layer}.o`, merged, hidden, hidden)))
    const wide = g.gelu(linear(`${layer}.up`, x, hidden, inner))
    x = norm(`${layer}.norm2`, g.add(x, linear(`${layer}.down`, wide, inner, hidden)))
  }
  return g.build({ last_hidden_state: x })
}

const ids = int64(
  [4, 12],
  Array.from({ length: 48 }, (_, index) => (index * 131) % 1000),
)

for (const options of variants) {
  test(`a random encoder, ${JSON.stringify(options)}: under a third of the size, cosine over 0.99`, async () => {
    const graph = encoder()
    const quantized = quantizeDynamic(graph, options)
    const [before, after] = [writeModel(graph), writeModel(quantized)]
    assert.ok(after.length < before.length / 3, `${after.length} of ${before.length} bytes`)
    const expected = await run(before, { input_ids: ids })
    const found = await run(after, { input_ids: ids })
    const cosine = worstCosine(expected["last_hidden_state"], found["last_hidden_state"])
    assert.ok(cosine > 0.99, `cosine ${cosine}`)
    assert.equal(operators(quantized).filter((op) => op === "MatMulInteger").length, 12)
    assert.equal(operators(quantized).filter((op) => op === "DynamicQuantizeLinear").length, 8)

    const exact = await runExactly(quantized, { input_ids: ids })
    const byWeb = worstCosine(expected["last_hidden_state"], exact["last_hidden_state"])
    assert.ok(byWeb > 0.99, `cosine ${byWeb} by WASM`)
  })
}

for (const path of exports) {
  test(`${path}: cosine over 0.99, as exported and simplified`, async () => {
    const exported = readGraph(path)
    const expected = await run(exported, batch)
    for (const graph of [exported, fuse(fold(upgrade(exported)))]) {
      const quantized = quantizeDynamic(graph)
      assert.equal(operators(quantized).filter((op) => op === "MatMulInteger").length, 12)
      const found = await runExactly(quantized, batch)
      const cosine = worstCosine(expected["last_hidden_state"], found["last_hidden_state"])
      assert.ok(cosine > 0.99, `cosine ${cosine}`)
    }
  })
}

for (const options of variants) {
  test(`Gemm with all that it can have, ${JSON.stringify(options)}`, async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", ["rows", 48])
    const w = g.initializer("w", normal(1, [48, 32], 1))
    const t = g.initializer("t", normal(2, [32, 48], 1))
    const c = g.initializer("c", normal(3, [32], 1))
    const graph = g.build({
      plain: g.gemm(x, w),
      bias: g.gemm(x, w, { c }),
      factors: g.gemm(x, w, { c, alpha: 0.5, beta: -2 }),
      transposed: g.gemm(x, t, { transB: true, c, beta: 0.5 }),
      left: g.gemm(w, x, { transA: true, transB: true }),
    })
    const quantized = quantizeDynamic(graph, options)
    assert.deepEqual(
      operators(quantized).filter((op) => op === "Gemm" || op === "DynamicQuantizeLinear"),
      ["DynamicQuantizeLinear", "Gemm"],
    )
    const feeds = { x: normal(4, [20, 48], 2) }
    const expected = await run(graph, feeds)
    const found = await runExactly(quantized, feeds)
    for (const name of Object.keys(expected)) {
      const cosine = worstCosine(expected[name], found[name])
      assert.ok(cosine > 0.995, `${name}: cosine ${cosine}`)
    }
  })
}

test("what is not a large constant matrix of float32 stays", async () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [8, 40])
  const small = g.initializer("narrow", normal(1, [40, 8], 1))
  const cube = g.initializer("cube", normal(2, [4, 40, 40], 1))
  const table = g.initializer("table", normal(3, [40, 40], 1))
  const graph = g.build({
    small: g.matmul(x, small),
    batched: g.matmul(x, cube),
    square: g.matmul(x, g.transpose(x, [1, 0])),
    constant: g.matmul(small, g.initializer("other", normal(4, [8, 200], 1))),
    columns: g.gather(table, g.indices([0, 3]), 1),
  })
  assert.deepEqual(quantizeDynamic(graph), graph)
  const eager = quantizeDynamic(graph, { minimumElements: 1 })
  assert.deepEqual(
    operators(eager).filter((op) => op === "MatMulInteger"),
    ["MatMulInteger"],
  )
  const feeds = { x: normal(5, [8, 40], 1) }
  const [expected, found] = [await run(graph, feeds), await runExactly(eager, feeds)]
  assert.ok(worstCosine(expected["small"], found["small"]) > 0.995)
})

test("columns and rows of zeros stay zero; a table that is also a weight keeps both uses", async () => {
  const g = new GraphBuilder()
  const data = new Float32Array(64 * 64).map((_, index) => (index % 64 === 5 || index < 64 ? 0 : Math.sin(index)))
  const table = g.initializer("table", float32([64, 64], data))
  const rows = g.input("rows", "int64", ["count"])
  const picked = g.gather(table, rows)
  const graph = g.build({ picked, product: g.matmul(picked, table), again: g.gather(table, g.indices([3])) })
  const feeds = { rows: int64([3], [0, 7, 63]) }
  const expected = await run(graph, feeds)
  for (const options of variants) {
    const found = await runExactly(quantizeDynamic(graph, options), feeds)
    assert.ok(
      Array.from(found["picked"]?.data ?? [], Number)
        .slice(0, 64)
        .every((value) => value === 0),
    )
    assert.equal(found["product"]?.data[64 + 5], 0)
    for (const name of ["picked", "product"]) {
      const part = (value: Tensor | undefined): Tensor =>
        float32([2, 64], Array.from(value?.data ?? [], Number).slice(64))
      assert.ok(worstCosine(part(expected[name]), part(found[name])) > 0.995)
    }
  }
})

test("names of nodes stay distinct where a product has a bias", async () => {
  const g = new GraphBuilder()
  const w = g.initializer("w", float32([64, 32], new Float32Array(64 * 32).fill(0.5)))
  const c = g.initializer("c", float32([32], new Float32Array(32).fill(1)))
  const x = g.input("x", "float32", ["rows", 64])
  for (const beta of [1, 2]) {
    const graph = quantizeDynamic(g.build({ y: g.relu(g.gemm(x, w, { c, beta })) }))
    assert.equal(new Set(graph.nodes.map((node) => node.name)).size, graph.nodes.length)
    const { y } = await runExactly(graph, { x: float32([1, 64], new Float32Array(64).fill(1)) })
    assert.ok(Math.abs(Number(y!.data[0]) - 32 - beta) < 0.3)
  }
})

test("a weight that is not finite is refused by name", () => {
  const g = new GraphBuilder()
  const broken = normal(1, [64, 64], 1)
  assert.ok(broken.data instanceof Float32Array)
  broken.data[70] = Number.NaN
  const graph = g.build({ y: g.matmul(g.input("x", "float32", [1, 64]), g.initializer("w", broken)) })
  assert.throws(
    () => quantizeDynamic(graph),
    (error: unknown) => error instanceof InvalidTensor && error.tensor === "w" && /element 70/.test(error.message),
  )
})
