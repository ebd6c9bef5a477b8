// Gradients by large tables: added up by rows, over steps of programs that read the table in different ways.
import assert from "node:assert/strict"
import { test } from "node:test"
import { differentiate } from "@tandem/autodiff"
import { float32, type Graph, GraphBuilder, int64 } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { makeTrainStep, residentState } from "@tandem/trainers"
import { Effect } from "effect"

const dims = [1500, 4]
const table = float32(
  dims,
  Array.from({ length: 6000 }, (_, i) => Math.sin(i * 1.3)),
)

/** The mean square of what is looked up, or of the whole table, or both. */
const graphOf = (lookups: number, whole: boolean): Graph => {
  const g = new GraphBuilder()
  const x = g.input("table", "float32", dims)
  const ids = g.input("ids", "int64", [lookups])
  const rows = g.gather(x, ids)
  const squares = [...(lookups > 1 ? [g.mul(rows, rows)] : []), ...(whole ? [g.mul(x, x)] : [])]
  const loss = squares.map((value) => g.reduceMean(value, [0, 1], false)).reduce((sum, value) => g.add(sum, value))
  return g.build({ loss })
}

test("whatever a step before has left, the gradient is this step's", async () => {
  const graphs = { few: graphOf(3, false), many: graphOf(40, false), both: graphOf(3, true), whole: graphOf(1, true) }
  await Effect.gen(function* () {
    const runtime = yield* Runtime
    const state = yield* residentState(new Map([["table", table]]), ["table"])
    const order = ["many", "few", "both", "few", "many", "whole", "few", "many", "many"] as const
    for (const [index, name] of order.entries()) {
      const graph = graphs[name]
      const count = Number(graph.inputs.find((input) => input.name === "ids")?.dims?.[0])
      const ids = int64(
        [count],
        Array.from({ length: count }, (_, i) => ((index + 1) * (i * i + 7)) % 1500),
      )
      const step = yield* makeTrainStep({ graph, loss: "loss", dropout: [] }, state)
      yield* step.run({ key: name, tensors: { ids }, examples: 1 }, { seed: 0, step: index })
      const found = yield* runtime.download(state.gradients[0]!)
      const plain = yield* runtime.compile(differentiate(graph, { loss: "loss", wrt: ["table"] }))
      const expected = (yield* plain.run({ table, ids }))["grad.table"]!
      for (const [i, value] of Array.from(expected.data, Number).entries()) {
        assert.ok(Math.abs(value - Number(found.data[i])) < 1e-6, `step ${index}, ${name}, element ${i}`)
      }
    }
  }).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)
})
