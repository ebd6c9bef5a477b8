import assert from "node:assert/strict"
import { test } from "node:test"
import { elementCount, float32, GraphBuilder, int64, type Value } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { differentiate } from "../../src/index.ts"

const noise = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 1.7 + 0.3))

type LookUp = (g: GraphBuilder, table: Value, at: Value) => Value

/** Operators that take rows of a table. */
const lookUps: Readonly<Record<string, LookUp>> = {
  Gather: (g, table, at) => g.gather(table, at),
  GatherND: (g, table, at) => g.op("GatherND", [table, g.unsqueeze(at, [1])])[0]!,
  GatherElements: (g, table, at) => g.op("GatherElements", [table, g.expand(g.unsqueeze(at, [1]), [taken, 32])])[0]!,
}

const taken = 3000

/** The gradient by a table of which many rows are taken again and again, on two threads. */
const gradients = (lookUp: LookUp, rows: number, times: number): Promise<readonly Float32Array[]> => {
  const g = new GraphBuilder()
  const table = g.input("table", "float32", [rows, 32])
  const at = g.input("at", "int64", [taken])
  const weights = g.input("weights", "float32", [taken, 32])
  const graph = g.build({ loss: g.reduceSum(g.mul(lookUp(g, table, at), weights), [0, 1], false) })
  const feeds = {
    table: float32([rows, 32], noise(rows * 32)),
    at: int64(
      [taken],
      Array.from({ length: taken }, (_, i) => (i * i) % Math.min(rows, 97)),
    ),
    weights: float32([taken, 32], noise(elementCount([taken, 32]))),
  }
  return Effect.runPromise(
    Effect.gen(function* () {
      const step = yield* (yield* Runtime).compile(differentiate(graph, { loss: "loss", wrt: ["table"] }))
      const found: Float32Array[] = []
      for (let time = 0; time < times; time++) {
        const { data } = (yield* step.run(feeds))["grad.table"]!
        if (data instanceof Float32Array) found.push(data)
      }
      return found
    }).pipe(Effect.scoped, Effect.provide(layer({ threads: 2 }))),
  )
}

for (const [op, lookUp] of Object.entries(lookUps)) {
  for (const rows of [100, 5000]) {
    test(`the gradient of ${op} by a table of ${rows} rows has the same bits every time`, async () => {
      const [first, ...others] = await gradients(lookUp, rows, 8)
      assert.equal(others.length, 7)
      assert.ok(first!.some((value) => value !== 0))
      for (const other of others) assert.deepEqual(other, first)
    })
  }
}

test("by rows, the gradient of two look-ups is the table's, and what else reaches the table stands apart", async () => {
  const g = new GraphBuilder()
  const table = g.input("table", "float32", [2000, 3])
  const near = g.gather(table, g.constant(int64([4], [7, 1999, 7, -2])))
  const far = g.gather(table, g.constant(int64([2, 1], [0, 7])))
  const looked = g.add(g.reduceSum(g.mul(near, near), [0, 1], false), g.reduceSum(g.exp(far), [0, 1, 2], false))
  const both = g.add(looked, g.reduceSum(g.mul(table, table), [0, 1], false))
  const graph = g.build({ looked, both })
  const feeds = { table: float32([2000, 3], noise(6000)) }
  const run = (loss: string, byRows: readonly string[]) =>
    Effect.gen(function* () {
      const step = differentiate(graph, { loss, wrt: ["table"], byRows })
      return yield* (yield* (yield* Runtime).compile(step)).run(feeds)
    }).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)
  for (const loss of ["looked", "both"]) {
    const expected = Array.from((await run(loss, []))["grad.table"]!.data, Number)
    const found = await run(loss, ["table"])
    assert.equal(found["grad.table"] !== undefined, loss === "both")
    const sum = Array.from(found["grad.table"]?.data ?? new Float32Array(6000), Number)
    const updates = found["grad.table.updates"]!
    assert.deepEqual(updates.dims, [6, 3])
    assert.deepEqual(found["grad.table.rows"], {
      type: "int32",
      dims: [6],
      data: Int32Array.of(0, 7, 7, 1999, 7, 1998),
    })
    for (const [place, row] of Array.from(found["grad.table.rows"]!.data, Number).entries()) {
      for (let i = 0; i < 3; i++) sum[row * 3 + i]! += Number(updates.data[place * 3 + i])
    }
    for (const [i, value] of sum.entries()) assert.ok(Math.abs(value - expected[i]!) < 1e-5, `${loss} ${i}`)
  }
})
