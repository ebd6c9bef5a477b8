// Models of a few bytes that ask for much: refused by name, before anything of the size is made.
import assert from "node:assert/strict"
import { after, test } from "node:test"
import { float32, type Graph, GraphBuilder, InvalidGraph, int, int64, UnsupportedModel, type Value } from "@tandem/onnx"
import { Effect, ManagedRuntime } from "effect"
import { layer } from "../../src/node/NodeRuntime.ts"
import { Runtime } from "../../src/Runtime.ts"
import { specialize } from "../../src/Specialize.ts"

const runtime = ManagedRuntime.make(layer({ threads: 1 }))
after(() => runtime.dispose())

const fixed = (graph: Graph) => runtime.runPromise(Effect.result(specialize(graph, { x: [2, 4] })))

const failure = async (make: (g: GraphBuilder, x: Value) => Value) => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", ["batch", 4])
  const result = await fixed(g.build({ y: make(g, x) }))
  assert.equal(result._tag, "Failure")
  return result.failure
}

const one = float32([1], [2])
const shape = [10_000, 1_000_000, 4]

const constants: Readonly<Record<string, (g: GraphBuilder) => Value | undefined>> = {
  Expand: (g) => g.op("Expand", [g.constant(one), g.indices(shape)])[0],
  ConstantOfShape: (g) => g.op("ConstantOfShape", [g.indices(shape)])[0],
  Tile: (g) => g.op("Tile", [g.constant(float32([1, 1, 4], [1, 2, 3, 4])), g.indices([10_000, 1_000_000, 1])])[0],
  Range: (g) => g.op("Range", [g.scalar(0), g.scalar(2 ** 34), g.scalar(1)])[0],
  Pad: (g) => g.op("Pad", [g.constant(one), g.indices([0, 40_000_000_000])])[0],
  OneHot: (g) =>
    g.op("OneHot", [g.indices([1, 2]), g.constant(int64([], [2 ** 35])), g.constant(float32([2], [0, 1]))])[0],
  Concat: (g) => {
    let value = g.constant(one)
    for (let i = 0; i < 40; i++) value = g.concat([value, value], 0)
    return value
  },
}

for (const [op, make] of Object.entries(constants)) {
  test(`a constant of ${op} that is too large`, async () => {
    const error = await failure((g, x) => g.add(x, g.reduceSum(g.cast(make(g)!, "float32"), [], false)))
    assert.ok(error instanceof UnsupportedModel, String(error))
    assert.match(error.node ?? "", new RegExp(`^${op}_`))
    assert.match(error.expected ?? "", /^at most \d+ (bytes|elements)/)
    assert.match(error.found ?? "", /\[\d/)
  })

  if (op === "Concat") continue
  test(`one of ${op} whose size is computed first`, async () => {
    // The operand that says the size is the product of two others.
    const error = await failure((g, x) => {
      const [square] = g.op("Shape", [x])
      const many = g.mul(g.gather(square!, g.indices([0]), 0), g.indices([10_000_000_000]))
      const scalar = g.reshape(many, [])
      const [value] =
        op === "Range"
          ? g.op("Range", [g.constant(int64([], [0])), scalar, g.constant(int64([], [1]))])
          : op === "OneHot"
            ? g.op("OneHot", [g.indices([1]), scalar, g.constant(float32([2], [0, 1]))])
            : op === "Pad"
              ? g.op("Pad", [g.constant(one), g.concat([g.indices([0]), many], 0)])
              : op === "ConstantOfShape"
                ? g.op("ConstantOfShape", [many])
                : g.op(op, [g.constant(one), many])
      return g.add(x, g.reduceSum(g.cast(value!, "float32"), [], false))
    })
    assert.ok(error instanceof UnsupportedModel, String(error))
    assert.match(error.node ?? "", new RegExp(`^${op}_`))
  })
}

test("constants that are small one by one and much together", async () => {
  const error = await failure((g, x) => {
    let value = g.op("Expand", [g.constant(one), g.indices([2 ** 27])])[0]!
    for (let i = 0; i < 40; i++) value = i % 2 === 0 ? g.sin(value) : g.cos(value)
    return g.add(x, g.reduceSum(value, [], false))
  })
  assert.ok(error instanceof UnsupportedModel, String(error))
  assert.match(error.message, /bytes in all$/)
})

test("a value that nothing could hold", async () => {
  const error = await failure((g, x) => {
    const wide = g.op("Tile", [x, g.indices([1_000_000, 10_000])])[0]!
    return g.reduceSum(wide, [0], false)
  })
  assert.ok(error instanceof UnsupportedModel, String(error))
  assert.equal(error.expected, "at most 4294967295 elements")
  assert.equal(error.found, "float32[2000000,40000]")
})

test("a number of axes that no tensor has, and of elements that cannot be counted", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [2, 4])
  assert.throws(() => g.op("Expand", [x, g.input("axes", "int64", [40_000_000_000])]), InvalidGraph)
  assert.throws(() => g.op("ConstantOfShape", [g.indices([2 ** 40, 2 ** 40])]), InvalidGraph)
})

test("constants whose size is computed are what they were", async () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", ["batch", 4])
  const [size] = g.op("Shape", [x])
  const rows = g.gather(size!, g.constant(int64([], [0])), 0)
  const range = g.op("Range", [g.constant(int64([], [0])), rows, g.constant(int64([], [1]))])[0]!
  const hot = g.op("OneHot", [range, g.constant(int64([], [4])), g.constant(float32([2], [0, 1]))], {
    attributes: { axis: int(-1) },
  })[0]!
  const spread = g.op("Expand", [g.constant(one), size!])[0]!
  const graph = g.build({ y: g.add(x, g.mul(hot, spread)) })
  const result = await fixed(graph)
  assert.equal(result._tag, "Success")
  assert.deepEqual(
    result.success.nodes.map(({ op }) => op),
    ["Add"],
  )
  const found = await runtime.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const executable = yield* (yield* Runtime).compile(result.success)
        return yield* executable.run({ x: float32([2, 4], new Float32Array(8)) })
      }),
    ),
  )
  assert.deepEqual([...(found["y"]?.data ?? [])], [2, 0, 0, 0, 0, 2, 0, 0])
})
