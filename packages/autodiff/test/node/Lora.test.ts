import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import {
  describeValue,
  float32,
  type Graph,
  GraphBuilder,
  int,
  type Tensor,
  tensor,
  toNumbers,
  type Value,
} from "@tandem/onnx"
import { scrambledLcg32 } from "@tandem/random"
import { differentiate, gradientName } from "../../src/Differentiate.ts"
import { addLora, type LoraGraph, type LoraSettings } from "../../src/Lora.ts"
import { initialAdapters, mergeAdapters } from "../../src/LoraValues.ts"
import { cpu } from "../support/Run.ts"

const { run, close } = cpu()
after(close)

const draw = (seed: number, dims: readonly number[]): Tensor => {
  const next = scrambledLcg32(seed)
  return float32(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => next() / 2 ** 31 - 1),
  )
}

interface Sample {
  readonly name: string
  /** From x `[2, 3, 4]` (or what `x` says) and weights. */
  readonly make: (g: GraphBuilder, x: Value, weight: (name: string, dims: readonly number[]) => Value) => Value
  readonly x?: readonly number[]
  readonly settings?: Partial<LoraSettings>
  readonly modules: readonly string[]
}

const samples: readonly Sample[] = [
  { name: "MatMul [in, out]", make: (g, x, w) => g.matmul(x, w("m.weight", [4, 5])), modules: ["m"] },
  { name: "MatMul of a vector", x: [4], make: (g, x, w) => g.matmul(x, w("m.weight", [4, 5])), modules: ["m"] },
  {
    name: "MatMul with a transposed weight",
    make: (g, x, w) => g.matmul(x, g.transpose(w("m.weight", [5, 4]), [1, 0])),
    modules: ["m"],
  },
  {
    name: "a weight that is copied and reshaped to what it is",
    make: (g, x, w) => {
      const copy = g.identity(w("m.weight", [5, 4]))
      const turned = g.op("Transpose", [g.op("Reshape", [copy, g.indices([5, 4])])[0]])[0]!
      return g.matmul(x, turned)
    },
    modules: ["m"],
  },
  {
    name: "Gemm with alpha, beta and a transposed weight",
    x: [3, 4],
    make: (g, x, w) => g.gemm(x, w("m.weight", [5, 4]), { c: w("m.bias", [5]), transB: true, alpha: 0.7, beta: 0.3 }),
    modules: ["m"],
  },
  {
    name: "Gemm with transposed values",
    x: [4, 3],
    make: (g, x, w) => g.gemm(x, w("m.weight", [4, 5]), { transA: true }),
    modules: ["m"],
  },
  {
    name: "FusedMatMul",
    make: (g, x, w) => g.fusedMatmul(x, w("m.weight", [5, 4]), { transB: true, alpha: 1.5 }),
    modules: ["m"],
  },
  {
    name: "three weights joined to one product, two of them targeted, one scaled",
    x: [3, 4],
    make: (g, x, w) => {
      const parts = [g.mul(w("q.weight", [5, 4]), g.scalar(0.5)), w("k.weight", [5, 4]), w("v.weight", [2, 4])]
      return g.gemm(x, g.concat(parts, 0), { transB: true })
    },
    settings: { targets: ["q", "v"] },
    modules: ["q", "v"],
  },
  {
    name: "weights joined along the columns",
    make: (g, x, w) => g.matmul(x, g.concat([w("q.weight", [4, 5]), w("k.weight", [4, 3])], -1)),
    modules: ["q", "k"],
  },
  {
    name: "a weight that is read twice",
    make: (g, x, w) => {
      const weight = w("m.weight", [4, 4])
      return g.matmul(g.tanh(g.matmul(x, weight)), weight)
    },
    modules: ["m"],
  },
  {
    name: "three modules in one weight of the graph, the middle one nobody's",
    make: (g, x, w) => g.matmul(x, w("qkv", [4, 9])),
    settings: {
      modules: new Map([
        [
          "qkv",
          [
            { module: "v", axis: 1, start: 6, outputs: 3 },
            { module: "q", axis: 1, start: 0, outputs: 4 },
          ],
        ],
      ]),
    },
    modules: ["q", "v"],
  },
  {
    name: "a module in a weight stored the other way round",
    x: [3, 4],
    make: (g, x, w) => g.gemm(x, w("qkv", [6, 4]), { transB: true }),
    settings: { modules: new Map([["qkv", [{ module: "k", axis: 0, start: 2, outputs: 2 }]]]) },
    modules: ["k"],
  },
  {
    name: "rank-stabilised",
    make: (g, x, w) => g.matmul(x, w("m.weight", [4, 5])),
    settings: { useRslora: true },
    modules: ["m"],
  },
]

const built = ({ make, x = [2, 3, 4] }: Sample): { graph: Graph; feeds: Record<string, Tensor> } => {
  const g = new GraphBuilder()
  const feeds: Record<string, Tensor> = { x: draw(1, x) }
  const known = new Map<string, Value>()
  const y = make(g, g.input("x", "float32", x), (name, dims) => {
    const value = known.get(name) ?? g.input(name, "float32", dims)
    known.set(name, value)
    feeds[name] ??= draw(name.length + name.charCodeAt(0), dims)
    return value
  })
  return { graph: g.build({ y, loss: g.reduceSum(g.mul(y, y), [], false) }), feeds }
}

/** The same model with W + scale · B·A spelled out. */
const spelledOut = (graph: Graph, { adapters }: LoraGraph): Graph => {
  const g = new GraphBuilder()
  const bindings: Record<string, Value> = { ...g.callWithInputs(graph).inputs }
  for (const { weight, a, b, rank, inputs, outputs, start, weightOutputs, scale, outputFirst } of adapters) {
    const product = g.matmul(g.input(b, "float32", [outputs, rank]), g.input(a, "float32", [rank, inputs]))
    const nothing = (rows: number) => (rows === 0 ? [] : [g.zeros("float32", [rows, inputs])])
    const placed = g.concat([...nothing(start), product, ...nothing(weightOutputs - start - outputs)], 0)
    const delta = g.mul(outputFirst ? placed : g.transpose(placed, [1, 0]), g.scalar(scale))
    bindings[weight] = g.add(bindings[weight]!, delta)
  }
  return g.build({ ...g.call(graph, bindings) })
}

const close5 = (actual: Tensor | undefined, expected: Tensor | undefined, what: string): void => {
  const [a, b] = [toNumbers(actual!), toNumbers(expected!)]
  assert.deepEqual(actual?.dims, expected?.dims, what)
  const size = Math.max(1, ...b.map(Math.abs))
  for (const [index, value] of a.entries()) assert.ok(Math.abs(value - b[index]!) <= 1e-5 * size, `${what} at ${index}`)
}

describe("addLora", () => {
  for (const sample of samples) {
    it(`computes and differentiates W + scale · B·A: ${sample.name}`, async () => {
      const { graph, feeds } = built(sample)
      const settings = { rank: 2, alpha: 3, targets: "all-linear", ...sample.settings }
      const lora = addLora(graph, {
        ...settings,
        targets: settings.targets === "all-linear" ? sample.modules : settings.targets,
      })
      assert.deepEqual(
        lora.adapters.map(({ module }) => module),
        sample.modules,
      )
      const wrt = lora.adapters.flatMap(({ a, b }) => [a, b])
      const values: Record<string, Tensor> = Object.fromEntries(
        wrt.map((name, index) => [name, draw(index + 50, describeStatic(lora.graph, name))]),
      )
      const adapted = differentiate(lora.graph, { loss: "loss", wrt })
      const found = await run(adapted, { ...feeds, ...values })
      const reference = differentiate(spelledOut(graph, lora), { loss: "loss", wrt })
      const expected = await run(reference, { ...feeds, ...values })
      for (const name of ["y", "loss", ...wrt.map(gradientName)]) close5(found[name], expected[name], name)
      const merged = mergeAdapters(lora.adapters, new Map(Object.entries(feeds)), new Map(Object.entries(values)))
      const plain = await run(graph, { ...feeds, ...Object.fromEntries(merged) })
      close5(plain["y"], found["y"], "merged")
      const fresh = await run(lora.graph, { ...feeds, ...Object.fromEntries(initialAdapters(lora.adapters, 7)) })
      assert.deepEqual(fresh["y"]?.data, (await run(graph, feeds))["y"]?.data, "untrained adapters change nothing")
    })
  }

  it("drops elements of each adapter's own input, and scales what is left", async () => {
    const sample: Sample = {
      name: "",
      x: [3, 4],
      make: (g, x, w) => g.gemm(x, g.concat([w("q.weight", [2, 4]), w("k.weight", [2, 4])], 0), { transB: true }),
      modules: [],
    }
    const { graph, feeds } = built(sample)
    const lora = addLora(graph, { rank: 2, alpha: 2, targets: ["q", "k"], dropout: 0.25 })
    assert.deepEqual(lora.dropout, [
      { input: "q.lora_dropout", rate: 0.25 },
      { input: "k.lora_dropout", rate: 0.25 },
    ])
    const ones = (dims: readonly number[]) => float32(dims, new Float32Array(dims[0]! * dims[1]!).fill(1))
    const values: Record<string, Tensor> = {}
    for (const { a, b } of lora.adapters) Object.assign(values, { [a]: ones([2, 4]), [b]: ones([2, 2]) })
    const keep = (bytes: readonly number[]): Tensor => tensor("bool", [3, 4], Uint8Array.from(bytes))
    const masks = {
      "q.lora_dropout": keep([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]),
      "k.lora_dropout": keep([0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1]),
    }
    const y = toNumbers((await run(lora.graph, { ...feeds, ...values, ...masks }))["y"]!)
    const base = toNumbers((await run(graph, feeds))["y"]!)
    const x = toNumbers(feeds["x"]!)
    for (let row = 0; row < 3; row++) {
      for (const [part, mask] of Object.values(masks).entries()) {
        const kept = [0, 1, 2, 3].reduce((sum, i) => sum + Number(mask.data[row * 4 + i]) * x[row * 4 + i]!, 0)
        for (let column = 0; column < 2; column++) {
          const at = row * 4 + part * 2 + column
          assert.ok(Math.abs(y[at]! - base[at]! - (2 * kept) / 0.75) < 1e-5)
        }
      }
    }
  })

  it("adapts a product by codes of a weight, and is merged into what they stand for", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [2, 32])
    const codes = g.initializer(
      "layers.0.q_proj.MatMul.weight_Q4",
      tensor("uint8", [3, 1, 16], new Uint8Array(48).fill(0x7a)),
    )
    const scales = g.initializer("scales", float32([3], [1, 2, 3]))
    const [y] = g.op("MatMulNBits", [x, codes, scales], {
      domain: "com.microsoft",
      attributes: { K: int(32), N: int(3), bits: int(4), block_size: int(32) },
      outputs: [{ type: "float32", dims: [2, 3] }],
    })
    const graph = g.build({ y: y!, loss: g.reduceSum(y!, [], false) })
    const lora = addLora(graph, { rank: 1, alpha: 1, targets: ["q_proj"] })
    const [adapter] = lora.adapters
    assert.deepEqual([adapter?.module, adapter?.inputs, adapter?.outputs], ["layers.0.q_proj", 32, 3])
    const values = { [adapter!.a]: draw(1, [1, 32]), [adapter!.b]: draw(2, [3, 1]) }
    const feeds = { x: draw(3, [2, 32]) }
    const differentiated = differentiate(lora.graph, { loss: "loss", wrt: Object.keys(values) })
    const [found, base] = [await run(differentiated, { ...feeds, ...values }), await run(graph, feeds)]
    const [xs, a, b] = [feeds.x, values[adapter!.a]!, values[adapter!.b]!].map(toNumbers)
    const inner = [0, 1].map((row) => a!.reduce((sum, value, i) => sum + value * xs![row * 32 + i]!, 0))
    for (const [index, value] of toNumbers(found["y"]!).entries()) {
      const delta = inner[Math.floor(index / 3)]! * b![index % 3]!
      assert.ok(Math.abs(value - toNumbers(base["y"]!)[index]! - delta) < 1e-4)
    }
    const given = new Map(Object.entries(values))
    const merged = mergeAdapters(lora.adapters, graph.initializers, given)
    assert.deepEqual([...merged.keys()], ["layers.0.q_proj.MatMul.weight_Q4", "scales"])
    assert.deepEqual(merged.get("scales")?.dims, [3])
    const again = await run({ ...graph, initializers: new Map([...graph.initializers, ...merged]) }, feeds)
    // Half a step for each of 32 numbers, at most
    const steps = toNumbers(merged.get("scales")!).map((scale) => 0.5 * Math.abs(scale))
    const sizes = [0, 1].map((row) => xs!.slice(32 * row, 32 * row + 32).reduce((sum, each) => sum + Math.abs(each), 0))
    for (const [index, value] of toNumbers(again["y"]!).entries()) {
      const off = Math.abs(value - toNumbers(found["y"]!)[index]!)
      assert.ok(off <= 2 * steps[index % 3]! * sizes[Math.floor(index / 3)]! && off > 0, `${off}`)
    }
    const otherwise = lora.adapters.map(({ blocks: _, ...adapter }) => adapter)
    assert.throws(() => mergeAdapters(otherwise, graph.initializers, given), {
      _tag: "InvalidLora",
      tensor: adapter?.weight,
    })
    assert.throws(() => mergeAdapters(lora.adapters, new Map(), given), {
      _tag: "InvalidLora",
      tensor: adapter?.weight,
    })
  })

  it("works with rows whose number is not known", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", ["batch", "tokens", 4])
    const graph = g.build({ y: g.matmul(x, g.initializer("m.weight", draw(5, [4, 3]))) })
    const lora = addLora(graph, { rank: 2, alpha: 1, targets: "m" })
    const values = new Map([
      ["m.lora_A.weight", draw(8, [2, 4])],
      ["m.lora_B.weight", draw(9, [3, 2])],
    ])
    const feeds = { x: draw(6, [2, 5, 4]) }
    const found = await run(lora.graph, { ...feeds, ...Object.fromEntries(values) })
    const merged = mergeAdapters(lora.adapters, graph.initializers, values)
    close5(found["y"], (await run({ ...graph, initializers: merged }, feeds))["y"], "y")
  })
})

const describeStatic = (graph: Graph, name: string): readonly number[] =>
  (describeValue(graph, name).dims ?? []).map(Number)
