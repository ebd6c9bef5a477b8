import { bool, float32, GraphBuilder, int64, type Tensor, type Value } from "@tandem/onnx"
import { Effect, type Scope } from "effect"
import { type HostFunction, type HostKernel, Runtime } from "./Runtime.ts"
import { specialize } from "./Specialize.ts"

/** Doubles arrays in place and tells their lengths. */
export const double: HostFunction = (arrays, argument) => {
  const values = (arrays["values"] ?? []).filter((array) => array instanceof Float32Array)
  for (const array of values) for (let i = 0; i < array.length; i++) array[i] = array[i]! * 2
  return [...values.map((array) => array.length), argument]
}

/** `double` as a host kernel. */
export const doubleKernel: HostKernel = { module: import.meta.url, name: "double" }

/** One promise that every layer of `Runtime` keeps. */
export interface RuntimePromise {
  readonly name: string
  /** Dies where the promise is not kept. */
  readonly check: Effect.Effect<void, unknown, Runtime | Scope.Scope>
}

const same = (found: unknown, expected: unknown): void => {
  const [a, b] = [found, expected].map((value) => JSON.stringify(value))
  if (a !== b) throw new Error(`found ${a}, expected ${b}`)
}
const numbers = (value: Tensor | undefined): readonly number[] => Array.from(value?.data ?? [], Number)

const square = () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [2, 2])
  return g.build({ y: g.matmul(x, x) }, "square")
}
const shear = float32([2, 2], [1, 1, 0, 1])

/**
 * What holds for every layer of `Runtime`, whatever it runs on. A test runs each under the layer in question; in a bundle,
 * `doubleKernel.module` must be among the layer's modules.
 */
export const runtimePromises: readonly RuntimePromise[] = [
  {
    name: "compiles and runs a graph",
    check: Effect.gen(function* () {
      const executable = yield* (yield* Runtime).compile(square())
      const { y } = yield* executable.run({ x: shear })
      same([y?.type, y?.dims, numbers(y)], ["float32", [2, 2], [1, 2, 0, 1]])
      const again = yield* executable.run({ x: float32([2, 2], [2, 0, 0, 2]) })
      same(
        [numbers(y), numbers(again["y"])],
        [
          [1, 2, 0, 1],
          [4, 0, 0, 4],
        ],
      )
    }),
  },
  {
    name: "keeps buffers resident, swaps one that a run reads and writes, and runs host kernels on them",
    check: Effect.gen(function* () {
      const runtime = yield* Runtime
      const executable = yield* runtime.compile(square())
      const buffer = yield* runtime.upload(shear)
      const other = yield* runtime.upload(shear)
      same(yield* executable.run({ x: buffer }, { into: { y: buffer } }), {})
      yield* executable.run({ x: buffer }, { into: { y: buffer } })
      same(numbers(yield* runtime.download(buffer)), [1, 4, 0, 1])
      same(yield* runtime.call(doubleKernel, { values: [buffer] }, "told"), [4, "told"])
      same(numbers(yield* runtime.download(buffer)), [2, 8, 0, 2])
      yield* executable.run({ x: buffer }, { into: { y: other } })
      same(numbers(yield* runtime.download(other)), [4, 32, 0, 4])
      same(
        [numbers(yield* runtime.download(buffer)), numbers(shear)],
        [
          [2, 8, 0, 2],
          [1, 1, 0, 1],
        ],
      )
      const parts = [buffer, other].map((each, argument) => ({ buffers: { values: [each] }, argument }))
      same(yield* runtime.callEach(doubleKernel, parts), [
        [4, 0],
        [4, 1],
      ])
      same(numbers(yield* runtime.download(other)), [8, 64, 0, 8])
    }),
  },
  {
    name: "reads constants of many bytes, folds what hangs on them alone, and leaves the caller's as they are",
    check: Effect.gen(function* () {
      const [rows, columns, row] = [2048, 2049, 5]
      const g = new GraphBuilder()
      const numbersOf = Float32Array.from({ length: rows * columns }, (_, index) => index % 7)
      const table = g.initializer("table", { type: "float32", dims: [rows, columns], data: numbersOf })
      const x = g.input("x", "float32", ["count", rows])
      const executable = yield* (yield* Runtime).compile(g.build({ y: g.matmul(x, g.neg(table)) }))
      const one = float32(
        [1, rows],
        Array.from({ length: rows }, (_, index) => (index === row ? 1 : 0)),
      )
      const { y } = yield* executable.run({ x: one })
      same(
        [y?.dims, numbers(y).slice(0, 9)],
        [[1, columns], Array.from({ length: 9 }, (_, index) => -((row * columns + index) % 7))],
      )
      same([numbersOf.length, numbersOf[8]], [rows * columns, 1])
    }),
  },
  {
    name: "applies dropout's masks, from tensors and from buffers",
    check: Effect.gen(function* () {
      const runtime = yield* Runtime
      const g = new GraphBuilder()
      const masked = (x: Value) => g.where(g.input(`mask of ${x.name}`, "bool", x.dims ?? []), x, g.scalar(0))
      const outer = masked(g.neg(masked(g.input("x", "float32", [2, 2]))))
      const graph = g.build({ outer })
      const masks = graph.inputs.flatMap(({ name, type }) => (type === "bool" ? [name] : []))
      const executable = yield* runtime.compile(graph, { masks })
      const [first = "", second = ""] = masks
      const feeds = { x: float32([2, 2], [1, 2, 3, 4]), [first]: bool([2, 2], [true, true, false, true]) }
      const kept = yield* runtime.upload(bool([2, 2], [false, true, true, true]))
      const { outer: found } = yield* executable.run({ ...feeds, [second]: kept })
      same(numbers(found), [0, -2, 0, -4])
      const none = yield* runtime.zeros("bool", [2, 2])
      same(numbers((yield* executable.run({ ...feeds, [second]: none }))["outer"]), [0, 0, 0, 0])
    }),
  },
  {
    name: "takes tensors over, and leaves alone those that share their memory",
    check: Effect.gen(function* () {
      const runtime = yield* Runtime
      const both = Float32Array.of(1, 2, 3, 4)
      const half = float32([2], both.subarray(2))
      const own = float32([2], [5, 6])
      const buffers = yield* Effect.forEach([half, own], (each) => runtime.upload(each, { handOver: true }))
      same([...both], [1, 2, 3, 4])
      same((yield* Effect.forEach(buffers, runtime.download)).map(numbers), [
        [3, 4],
        [5, 6],
      ])
    }),
  },
  {
    name: "makes buffers of zeros",
    check: Effect.gen(function* () {
      const runtime = yield* Runtime
      const executable = yield* runtime.compile(square())
      const buffer = yield* runtime.zeros("float32", [2, 2])
      same(numbers(yield* runtime.download(buffer)), [0, 0, 0, 0])
      yield* executable.run({ x: shear }, { into: { y: buffer } })
      same(numbers(yield* runtime.download(buffer)), [1, 2, 0, 1])
      same(numbers(yield* runtime.download(yield* runtime.zeros("int64", [3]))), [0, 0, 0])
    }),
  },
  {
    name: "overwrites a buffer with a tensor of its type and shape alone",
    check: Effect.gen(function* () {
      const runtime = yield* Runtime
      const executable = yield* runtime.compile(square())
      const buffer = yield* runtime.upload(shear)
      yield* executable.run({ x: buffer })
      yield* runtime.write(buffer, float32([2, 2], [3, 0, 0, 3]))
      same(numbers((yield* executable.run({ x: buffer }))["y"]), [9, 0, 0, 9])
      const refused = yield* Effect.flip(runtime.write(buffer, float32([1], [1])))
      same([refused._tag, refused.expected, refused.found], ["RunFailed", "float32[2,2]", "float32[1]"])
    }),
  },
  {
    name: "takes and gives 64-bit integers and truth values, from calls and from buffers",
    check: Effect.gen(function* () {
      const runtime = yield* Runtime
      const g = new GraphBuilder()
      const ids = g.input("ids", "int64", [3])
      const keep = g.input("keep", "bool", [3])
      const next = g.where(keep, g.add(ids, g.constant(int64([], [1]))), ids)
      const table = g.input("table", "float32", [5])
      const graph = g.build({ next, found: g.gather(table, ids), small: g.less(ids, g.constant(int64([], [2]))) })
      const executable = yield* runtime.compile(graph)
      const feeds = { keep: yield* runtime.upload({ type: "bool", dims: [3], data: Uint8Array.of(1, 0, 1) }) }
      const values = { table: float32([5], [0, 10, 20, 30, 40]) }
      const tensor = int64([3], [3, 0, 1])
      for (const given of [tensor, yield* runtime.upload(tensor)]) {
        const found = yield* executable.run({ ids: given, ...feeds, ...values })
        same(
          ["next", "found", "small"].map((name) => found[name]?.type),
          ["int64", "float32", "bool"],
        )
        same([found["next"], found["found"], found["small"]].map(numbers), [
          [4, 0, 2],
          [30, 0, 10],
          [0, 1, 1],
        ])
      }
    }),
  },
  {
    name: "computes the outputs that are asked for",
    check: Effect.gen(function* () {
      const g = new GraphBuilder()
      const x = g.input("x", "float32", [2])
      const executable = yield* (yield* Runtime).compile(g.build({ a: g.exp(x), b: g.neg(x) }))
      const found = yield* executable.run({ x: float32([2], [1, 2]) }, { only: ["b"] })
      same([Object.keys(found), numbers(found["b"])], [["b"], [-1, -2]])
    }),
  },
  {
    name: "runs in order what is asked for at once",
    check: Effect.gen(function* () {
      const runtime = yield* Runtime
      const executable = yield* runtime.compile(square())
      const runs = [1, 2, 3].map((value) => executable.run({ x: float32([2, 2], [value, 0, 0, value]) }))
      const found = yield* Effect.all(runs, { concurrency: "unbounded" })
      same(
        found.map(({ y }) => numbers(y)[0]),
        [1, 4, 9],
      )
    }),
  },
  {
    name: "names an input that is missing or does not fit",
    check: Effect.gen(function* () {
      const executable = yield* (yield* Runtime).compile(square())
      const missing = yield* Effect.flip(executable.run({}))
      same([missing._tag, missing.field, missing.expected], ["RunFailed", "x", "float32[2,2]"])
      const wrong = yield* Effect.flip(executable.run({ x: float32([1, 2], [1, 2]) }))
      same([wrong._tag, wrong.field, wrong.found], ["RunFailed", "x", "float32[1,2]"])
    }),
  },
  {
    name: "reports a graph that does not compile",
    check: Effect.gen(function* () {
      const graph = square()
      const broken = { ...graph, nodes: graph.nodes.map((node) => ({ ...node, op: "NoSuchOperator" })) }
      const error = yield* Effect.flip((yield* Runtime).compile(broken))
      same([error._tag, error.message.includes("NoSuchOperator")], ["CompileFailed", true])
    }),
  },
  {
    name: "tells static shapes and folds what depends on shapes alone",
    check: Effect.gen(function* () {
      const g = new GraphBuilder()
      const x = g.input("x", "float32", ["rows", 3])
      const rows = g.slice(g.op("Shape", [x])[0]!, 0, 0, 1)
      const shape = g.concat([g.indices([3]), rows], 0)
      const [y] = g.op("Reshape", [x, shape], { outputs: [{ type: "float32", dims: [3, "rows"] }] })
      const fixed = yield* specialize(g.build({ y: y! }), { x: [2, 3] })
      same([fixed.outputs[0]?.dims, fixed.nodes.map((node) => node.op)], [[3, 2], ["Reshape"]])
    }),
  },
]
