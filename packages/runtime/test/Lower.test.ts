// Lowered graphs compute what the graphs did, and hold none of the operators and types that WebGPU lacks.
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Attributes,
  bool,
  elementCount,
  float32,
  type Graph,
  GraphBuilder,
  int,
  int64,
  lower,
  string,
  type Tensor,
  toInt32,
  toNumbers,
  type Value,
} from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/web/WebRuntime"
import { Effect } from "effect"

const run = (graph: Graph, inputs: Readonly<Record<string, Tensor>>) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const executable = yield* (yield* Runtime).compile(graph)
        return yield* executable.run(inputs)
      }),
    ).pipe(Effect.provide(layer())),
  )

type Form = (g: GraphBuilder, x: Value, n: Value, b: Value) => Value | readonly Value[]

const axis = (value: number) => ({ axis: int(value) })
const one = (g: GraphBuilder, op: string, inputs: readonly Value[], attributes = {}): Value =>
  g.op(op, inputs, { attributes })[0]!

/** Expressions of x `[2, 3] f32`, n `[2, 3] i64` of −3 to 4 and b `[2, 3] bool`, each of an operator to be lowered. */
const forms: Readonly<Record<string, Form>> = {
  LogSoftmax: (g, x) => g.logSoftmax(x),
  "LogSoftmax of large scores": (g, x) => g.logSoftmax(g.mul(x, g.scalar(1e4))),
  ReduceLogSumExp: (g, x) => g.reduceLogSumExp(g.mul(x, g.scalar(1e3)), [1]),
  "ReduceLogSumExp of all": (g, x) => g.reduceLogSumExp(x, [], false),
  "ReduceLogSumExp, axis gone": (g, x) => g.reduceLogSumExp(x, [-1], false),
  OneHot: (g, _, n) => one(g, "OneHot", [n, g.constant(int64([1], [5])), g.constant(float32([2], [2, 7]))], axis(1)),
  ConstantOfShape: (g, x) => g.add(x, g.zeros("float32", [2, 3])),
  FusedMatMul: (g, x) => g.fusedMatmul(x, x, { transB: true, alpha: 0.5 }),
  IsNaN: (g, x) => one(g, "IsNaN", [g.log(x)]),
  Sign: (g, x) => g.sign(x),
  "Sign of integers": (g, _, n) => g.sign(n),
  Softsign: (g, x) => one(g, "Softsign", [x]),
  Sum: (g, x) => one(g, "Sum", [x, x, g.scalar(1)]),
  Mod: (g, _, n) => one(g, "Mod", [n, g.constant(int64([], [3]))]),
  "Mod by a negative": (g, _, n) => one(g, "Mod", [n, g.constant(int64([], [-3]))]),
  "Mod with the dividend's sign": (g, _, n) => one(g, "Mod", [n, g.constant(int64([], [3]))], { fmod: int(1) }),
  "Mod of floats": (g, x) => one(g, "Mod", [x, g.scalar(0.35)], { fmod: int(1) }),
  Dropout: (g, x) => one(g, "Dropout", [x]),
  Or: (g, x, _, b) => one(g, "Or", [b, g.less(x, g.scalar(0))]),
  Xor: (g, x, _, b) => one(g, "Xor", [b, g.less(x, g.scalar(0))]),
  "Equal of truth values": (g, x, _, b) => g.equal(b, g.less(x, g.scalar(0))),
  "Neg and Abs of integers": (g, _, n) => one(g, "Abs", [g.neg(n)]),
  "Slice of integers": (g, _, n) => g.slice(g.slice(n, 1, -1, -9, -1), 0, 1, 2 ** 40),
  "Slice of truth values": (g, _x, _n, b) => g.slice(b, 1, 1, 3),
  "Transpose of truth values": (g, _x, _n, b) => g.transpose(b, [1, 0]),
  "Concat of truth values": (g, _x, _n, b) => g.concat([b, b], 1),
  "GatherElements of integers": (g, _, n) => {
    const large = g.mul(n, g.constant(int64([], [123456789])))
    return one(g, "GatherElements", [large, one(g, "Mod", [n, g.constant(int64([], [3]))])], axis(1))
  },
  "Where of integers": (g, _, n, b) => g.where(b, n, g.constant(int64([], [9]))),
  "Gather by computed places": (g, x, n) => g.gather(x, one(g, "Mod", [n, g.constant(int64([], [2]))]), 0),
  "GatherND and ScatterND": (g, x, n) => {
    const places = g.reshape(g.slice(one(g, "Mod", [n, g.constant(int64([], [2]))]), 1, 0, 1), [2, 1])
    return g.scatterNdAdd(x, places, one(g, "GatherND", [x, places]))
  },
  SimplifiedLayerNormalization: (g, x) => {
    const outputs = [
      [2, 3],
      [2, 1],
    ].map((dims) => ({ type: "float32" as const, dims }))
    const [y, inverse] = g.op("SimplifiedLayerNormalization", [x, g.constant(float32([3], [1, 2, 3]))], { outputs })
    return [y!, inverse!]
  },
  ArgMax: (g, x) => g.add(g.op("ArgMax", [x], { attributes: axis(1) })[0]!, g.constant(int64([], [1]))),
}
/** The class loss of x; labels are −3 and 2 where one is to be ignored, else 0 and 2. */
const classLoss =
  (attributes: Attributes, weighted: boolean): Form =>
  (g, x, n) => {
    const labels = g.reshape(g.slice(n, 1, 0, 1), [2])
    const classes = "ignore_index" in attributes ? labels : one(g, "Mod", [labels, g.constant(int64([], [3]))])
    const weights = weighted ? [g.constant(float32([3], [0.5, 1, 2]))] : []
    return g.op("SoftmaxCrossEntropyLoss", [x, classes, ...weights], { attributes, outputs: 2 })
  }

const losses = ["none", "sum", "mean"].flatMap((reduction) =>
  [false, true].flatMap((weighted) =>
    [false, true].map((ignores): readonly [string, Form] => [
      `class loss: ${reduction}${weighted ? ", weights" : ""}${ignores ? ", a label ignored" : ""}`,
      classLoss({ reduction: string(reduction), ...(ignores ? { ignore_index: int(-3) } : {}) }, weighted),
    ]),
  ),
)

const lacking = new Set(
  "LogSoftmax ReduceLogSumExp OneHot ConstantOfShape FusedMatMul IsNaN Sign Softsign Sum Mod Dropout Or Xor SoftmaxCrossEntropyLoss".split(
    " ",
  ),
)

const inputs = {
  x: float32([2, 3], [0.5, -1.25, 2, 0.1, -0.75, 1.5]),
  n: int64([2, 3], [-3, 4, 1, 2, -1, 0]),
  b: bool([2, 3], [true, false, true, true, false, false]),
}

for (const [name, form] of [...Object.entries(forms), ...losses]) {
  test(name, async () => {
    const g = new GraphBuilder()
    const [x, n, b] = [g.input("x", "float32", [2, 3]), g.input("n", "int64", [2, 3]), g.input("b", "bool", [2, 3])]
    const made = form(g, x, n, b)
    const outputs = "name" in made ? [made] : made
    const graph = g.build(Object.fromEntries(outputs.map((value, index) => [`y${index}`, value])))
    const lowered = lower(graph)
    assert.deepEqual(
      lowered.nodes.filter((node) => lacking.has(node.op)),
      [],
    )
    const expected = await run(graph, inputs)
    const found = await run(lowered, { ...inputs, n: toInt32(inputs.n) })
    for (const [output, value] of Object.entries(expected)) {
      const other = found[output]
      assert.deepEqual([other?.type, other?.dims], [value.type, value.dims])
      const [a, c] = [toNumbers(value), toNumbers(other!)]
      for (let i = 0; i < elementCount(value.dims); i++)
        assert.ok(Object.is(a[i], c[i]) || Math.abs(a[i]! - c[i]!) <= 1e-5 * Math.max(1, Math.abs(a[i]!)), `${a} ${c}`)
    }
  })
}
