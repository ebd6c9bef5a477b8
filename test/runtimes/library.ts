// A piece of every layer that needs no model: build a graph, differentiate it, run it on ONNX Runtime, index the result.
// Prints one line of JSON, the same on every JavaScript runtime.
import { differentiate } from "@tandem/autodiff"
import { float32, GraphBuilder, readModel, writeModel } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { KnowledgeStore } from "@tandem/store"
import * as Usearch from "@tandem/store/node/Usearch"
import { Effect } from "effect"

const g = new GraphBuilder()
const x = g.input("x", "float32", [2, 2])
const w = g.input("w", "float32", [2, 2])
const y = g.matmul(x, w)
const graph = g.build({ loss: g.reduceSum(g.mul(y, y), [0, 1], false) }, "square")
const step = differentiate(readModel(writeModel(graph)), { loss: "loss", wrt: ["w"] })

const gradient = await Effect.runPromise(
  Effect.gen(function* () {
    const runtime = yield* Runtime
    const executable = yield* runtime.compile(step)
    return yield* executable.run({ x: float32([2, 2], [1, 2, 3, 4]), w: float32([2, 2], [1, 0, 0, 1]) })
  }).pipe(Effect.provide(layer({ threads: 1 })), Effect.scoped),
)

const identity = { dimension: 2, similarity: "dot", fingerprint: "test" } as const
const found = await Effect.runPromise(
  Effect.gen(function* () {
    const store = yield* KnowledgeStore
    const passages = [
      { id: "a", text: "first" },
      { id: "b", text: "second" },
    ]
    yield* store.add({ passages, vectors: Float32Array.of(1, 0, 0, 1), fingerprint: "test" })
    const [hits] = yield* store.search({ vectors: Float32Array.of(0.2, 0.9), k: 1, fingerprint: "test" })
    return hits?.[0]?.passage.id
  }).pipe(Effect.provide(Usearch.layer(identity))),
)

const numbers = Object.fromEntries(
  Object.entries(gradient).map(([name, tensor]) => [name, [...tensor.data].map((value) => Number(value))]),
)
console.log(JSON.stringify({ ...numbers, found }))
