import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Disconnected } from "@tandem/autodiff"
import { type InBatchNllOptions, inBatchNll } from "@tandem/losses"
import { bool, float32, type GraphBuilder, type Tensor, toNumbers, type Value } from "@tandem/onnx"
import { inner, moved, noise, rows } from "./support/Data.ts"
import { graphOver, matrix, run, runWithGradients } from "./support/Run.ts"

const batch = 4
const pool = 9
const width = 5
const marked = (pairs: readonly (readonly [number, number])[]): Tensor =>
  bool(
    [batch, pool],
    Array.from({ length: batch * pool }, (_, at) =>
      pairs.some(([b, j]) => b === Math.floor(at / pool) && j === at % pool),
    ),
  )
const feeds = {
  queries: matrix(rows(batch, width, 1)),
  passages: matrix(rows(pool, width, 2)),
  scale: float32([], [3]),
  weights: float32([batch], [1, 0.5, 2, 1.5]),
  excluded: marked([
    [0, 2],
    [1, 5],
    [1, 6],
  ]),
  relevant: marked([
    [0, 0],
    [2, 8],
    [3, 1],
  ]),
}
const trained = ["queries", "passages", "scale", "weights"] as const

type Inputs = Readonly<Record<string, Value>>
type Change = (g: GraphBuilder, inputs: Inputs) => Inputs

const lossOf = (options: InBatchNllOptions, change: Change = (_, inputs) => inputs, sign = 1) =>
  graphOver(feeds, (g, given) => {
    const { queries, passages, ...rest } = change(g, given)
    assert.ok(queries !== undefined && passages !== undefined)
    const { loss } = inBatchNll(g, { queries, passages, ...rest }, options)
    return { loss: sign === 1 ? loss : g.neg(loss) }
  })

/** The largest relative error of the gradients of one graph as derivatives of another's loss, in random directions. */
const discrepancy = async (options: InBatchNllOptions, gradient = lossOf(options)): Promise<number> => {
  const gradients = await runWithGradients(gradient, feeds, trained)
  const value = lossOf(options)
  const at = async (name: string, tensor: Tensor): Promise<number> =>
    (await run(value, { ...feeds, [name]: tensor }))["loss"]![0]!
  const step = 4e-3
  const errors: number[] = []
  for (const [index, name] of trained.entries()) {
    const tensor: Tensor = feeds[name]
    const direction = noise(toNumbers(tensor).length, 7 + index)
    const [ahead, behind] = [
      await at(name, moved(tensor, direction, step)),
      await at(name, moved(tensor, direction, -step)),
    ]
    const expected = (ahead - behind) / (2 * step)
    const found = inner(gradients[`grad.${name}`] ?? [], direction)
    errors.push(Math.abs(found - expected) / Math.max(Math.abs(expected), 1e-2))
  }
  return Math.max(...errors)
}

describe("gradients of inBatchNll as derivatives of its value", () => {
  for (const similarity of ["dot", "cosine"] as const) {
    for (const symmetric of [false, true]) {
      for (const multiPositive of ["exclude", "sum", "mean"] as const) {
        it(`${similarity}, ${multiPositive}${symmetric ? ", symmetric" : ""}`, async () => {
          const error = await discrepancy({ similarity, symmetric, multiPositive })
          assert.ok(error < 1e-2, `relative error ${error}`)
        })
      }
    }
  }

  it("are found out where the sign is wrong", async () => {
    const options: InBatchNllOptions = { similarity: "dot" }
    assert.ok((await discrepancy(options, lossOf(options, undefined, -1))) > 1)
  })

  it("are found out where the positives' part is severed", async () => {
    const options: InBatchNllOptions = { similarity: "dot" }
    const severed = lossOf(options, (g, { passages, ...rest }) => {
      assert.ok(passages !== undefined)
      const copied = g.constant(matrix(rows(pool, width, 2).slice(0, batch)))
      return { ...rest, passages: g.concat([copied, g.slice(passages, 0, batch, pool)], 0) }
    })
    assert.ok((await discrepancy(options, severed)) > 0.1)
  })

  it("do not exist where the queries come as plain numbers", async () => {
    const severed = lossOf({ similarity: "dot" }, (g, inputs) => ({ ...inputs, queries: g.constant(feeds.queries) }))
    await assert.rejects(async () => runWithGradients(severed, feeds, ["queries"]), Disconnected)
  })
})
