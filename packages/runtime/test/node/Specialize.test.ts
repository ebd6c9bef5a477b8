import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  bool,
  float32,
  type Graph,
  GraphBuilder,
  int64,
  ints,
  staticDims,
  type Tensor,
  toNumbers,
  type Value,
} from "@tandem/onnx"
import { Effect } from "effect"
import { layer } from "../../src/node/NodeRuntime.ts"
import { Runtime } from "../../src/Runtime.ts"
import { specialize } from "../../src/Specialize.ts"

/** The specialized graph, and what the runtime was asked on the way. */
const specialized = (
  graph: Graph,
  shapes: Readonly<Record<string, readonly number[]>>,
  parameters: readonly string[] = [],
) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const runtime = yield* Runtime
      const asked: Graph[] = []
      const watching: Runtime["Service"] = {
        ...runtime,
        compile: (question, options) => {
          asked.push(question)
          return runtime.compile(question, options)
        },
      }
      const result = yield* Effect.provideService(
        specialize(graph, shapes, { parameters: new Set(parameters) }),
        Runtime,
        watching,
      )
      return { graph: result, asked }
    }).pipe(Effect.provide(layer({ threads: 1 }))),
  )

const run = (graph: Graph, inputs: Readonly<Record<string, Tensor>>) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const executable = yield* (yield* Runtime).compile(graph)
        return yield* executable.run(inputs)
      }),
    ).pipe(Effect.provide(layer({ threads: 1 }))),
  )

const op = (g: GraphBuilder, name: string, ...inputs: readonly Value[]): Value => g.op(name, inputs)[0]!

/** `x` reshaped to rows of two by arithmetic on its shape, as exporters write it, with a weight in between. */
const layered = (layers: number): Graph => {
  const g = new GraphBuilder()
  let x = g.input("x", "float32", ["batch", "tokens", 4])
  const weight = g.initializer("weight", float32([2, 2], [1, 2, 3, 4]))
  for (let layer = 0; layer < layers; layer++) {
    const size = g.gather(op(g, "Shape", x), g.constant(int64([], [0])))
    const rows = g.unsqueeze(size, [0])
    const narrow = op(g, "Reshape", x, g.concat([rows, g.indices([-1, 2])], 0))
    const product = g.matmul(narrow, weight)
    x = op(g, "Reshape", product, g.concat([rows, g.indices([-1]), g.indices([4])], 0))
  }
  return g.build({ y: x })
}

describe("specialize", () => {
  it("gives every value a static shape and leaves no shape arithmetic, without running the model", async () => {
    const model = layered(3)
    const { graph, asked } = await specialized(model, { x: [2, 5, 4] }, ["weight"])
    assert.deepEqual(graph.outputs[0]?.dims, [2, 5, 4])
    assert.ok([...graph.values.values()].every(({ dims }) => staticDims(dims) !== undefined))
    assert.deepEqual([...new Set(graph.nodes.map((node) => node.op))].sort(), ["MatMul", "Reshape"])
    assert.ok(asked.length > 0)
    for (const { inputs, initializers } of asked) {
      assert.deepEqual(inputs, [])
      assert.ok(!initializers.has("weight"))
    }
    const x = float32(
      [2, 5, 4],
      Array.from({ length: 40 }, (_, index) => index / 7),
    )
    assert.deepEqual(await run(graph, { x }), await run(model, { x }))
  })

  it("asks nothing where shapes follow from rules alone", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", ["batch", 3])
    const { graph, asked } = await specialized(g.build({ y: g.matmul(x, g.transpose(x, [1, 0])) }), { x: [4, 3] })
    assert.deepEqual([graph.outputs[0]?.dims, asked.length], [[4, 4], 0])
  })

  it("folds what depends on constants and shapes alone, outputs and shapes of constants included", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", ["batch", 3])
    const count = g.gather(op(g, "Shape", x), g.constant(int64([], [0])))
    const range = g.op("Range", [g.constant(int64([], [0])), count, g.constant(int64([], [1]))])[0]!
    const again = op(g, "Expand", g.constant(int64([1], [7])), op(g, "Shape", range))
    const { graph } = await specialized(g.build({ range, again, y: g.neg(x) }), { x: [3, 3] })
    assert.deepEqual(graph.nodes.map((node) => node.op).sort(), ["Identity", "Identity", "Neg"])
    const found = await run(graph, { x: float32([3, 3], Array(9).fill(1)) })
    assert.deepEqual(
      [toNumbers(found["range"]!), toNumbers(found["again"]!)],
      [
        [0, 1, 2],
        [7, 7, 7],
      ],
    )
  })

  it("keeps what is drawn anew each time, from constants too", async () => {
    const g = new GraphBuilder()
    const ones = g.constant(float32([64], Array(64).fill(1)))
    const half = g.constant(float32([64], Array(64).fill(0.5)))
    const dropped = g.op("Dropout", [ones, g.scalar(0.5), g.constant(bool([], [true]))], { outputs: 2 })[0]!
    const shaped = { attributes: { shape: ints([64]) }, outputs: [{ type: "float32", dims: [64] }] } as const
    const noise = [dropped, op(g, "Bernoulli", half), g.op("RandomNormal", [], shaped)[0]!]
    const { graph } = await specialized(g.build({ y: g.concat([g.input("x", "float32", [64]), ...noise], 0) }), {
      x: [64],
    })
    assert.deepEqual(graph.nodes.map((node) => node.op).sort(), ["Bernoulli", "Concat", "Dropout", "RandomNormal"])
  })

  it("keeps what depends on a parameter", async () => {
    const g = new GraphBuilder()
    const weight = g.initializer("weight", float32([2], [1, 2]))
    const model = g.build({ y: g.mul(g.input("x", "float32", [2]), g.exp(weight)) })
    const free = await specialized(model, { x: [2] }, ["weight"])
    assert.deepEqual(
      free.graph.nodes.map((node) => node.op),
      ["Exp", "Mul"],
    )
    const fixed = await specialized(model, { x: [2] })
    assert.deepEqual(
      fixed.graph.nodes.map((node) => node.op),
      ["Mul"],
    )
  })

  it("makes equal constants once, however large", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", ["rows"])
    const count = (y: Value) => {
      const size = op(g, "Squeeze", op(g, "Shape", y))
      return g.cast(op(g, "Range", g.constant(int64([], [0])), size, g.constant(int64([], [1]))), "float32")
    }
    const { graph } = await specialized(g.build({ y: g.add(g.mul(x, count(x)), count(g.neg(x))) }), { x: [100] })
    assert.equal(graph.initializers.size, 1)
  })

  it("reads the shape of what no rule knows off a run, and goes on from there", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", ["batch", 2, 2])
    const inverse = g.op("Inverse", [x], { domain: "com.microsoft" })[0]!
    const rows = op(g, "Expand", g.constant(int64([1], [5])), op(g, "Shape", inverse))
    const model = g.build({ y: g.add(inverse, g.cast(rows, "float32")) })
    const { graph, asked } = await specialized(model, { x: [3, 2, 2] })
    assert.deepEqual(graph.outputs[0]?.dims, [3, 2, 2])
    assert.ok(asked.some(({ inputs }) => inputs.length === 1))
  })

  it("refuses a shape that depends on data", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "int64", [3])
    const filled = op(g, "ConstantOfShape", x)
    const places = g.op("NonZero", [x], { name: "places" })[0]!
    for (const value of [filled, places]) {
      await assert.rejects(specialized(g.build({ value }), { x: [3] }), {
        _tag: "DataDependentShape",
        message: /depends on data/,
      })
    }
  })

  it("refuses an input without a shape", async () => {
    await assert.rejects(specialized(layered(1), {}), { _tag: "RunFailed", field: "x" })
  })
})
