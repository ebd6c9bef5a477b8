// Training adapters instead of weights, and recomputation, through the training loop.
import assert from "node:assert/strict"
import { test } from "node:test"
import { initialAdapters, mergeAdapters } from "@tandem/autodiff"
import { float32, GraphBuilder, type Tensor, toNumbers } from "@tandem/onnx"
import { type Batch, type Program, withAdapters } from "@tandem/trainers"
import { Effect } from "effect"
import { examples, run, wave } from "../support/Regression.ts"

const settings = { rank: 2, alpha: 4, targets: ["up", "down"] }

/** Two layers in the place of the regression's one. */
const deep = ({ examples: count }: Batch): Program => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [count, 3])
  const up = g.tanh(g.gemm(x, g.input("up.weight", "float32", [8, 3]), { transB: true }))
  const found = g.matmul(
    g.tanh(g.add(g.matmul(up, g.input("middle.weight", "float32", [8, 8])), up)),
    g.input("down.weight", "float32", [8, 1]),
  )
  const error = g.sub(found, g.mul(g.input("y", "float32", [count, 1]), g.scalar(0.1)))
  return { graph: g.build({ loss: g.reduceMean(g.mul(error, error), [], false) }), loss: "loss", dropout: [] }
}

const scaled = (value: Tensor): Tensor =>
  float32(
    value.dims,
    toNumbers(value).map((number) => 0.4 * number),
  )
const weights: ReadonlyMap<string, Tensor> = new Map([
  ["up.weight", scaled(wave([8, 3], 1))],
  ["middle.weight", scaled(wave([8, 8], 2))],
  ["down.weight", scaled(wave([8, 1], 3))],
])

test("adapters are trained, for several shapes and with dropout, and the weights stay", async () => {
  const { adapters } = withAdapters(deep(examples(0, 4)), settings)
  const values = initialAdapters(adapters, 0)
  const over = {
    parameters: new Map([...weights, ...values]),
    trainable: [...values.keys()],
    draft: (index: number) => Effect.sync(() => examples(index * 4, 3 + (index % 2))),
  }
  const still = await run(120, {
    ...over,
    program: (batch) => Effect.sync(() => withAdapters(deep(batch), settings).program),
  })
  assert.ok(still.losses.at(-1)! < still.losses[0]! / 3, `${still.losses[0]} to ${still.losses.at(-1)}`)
  assert.deepEqual([...still.result.last.keys()], [...values.keys()])
  const merged = mergeAdapters(adapters, weights, still.result.last)
  assert.deepEqual([...merged.keys()], ["up.weight", "down.weight"])
  const dropping = await run(20, {
    ...over,
    program: (batch) => Effect.sync(() => withAdapters(deep(batch), { ...settings, dropout: 0.3 }).program),
  })
  assert.notDeepEqual(dropping.losses, still.losses.slice(0, 20))
})

test("recomputation trains the same weights bit for bit", async () => {
  const over = { parameters: weights, trainable: [...weights.keys()] }
  const plain = await run(20, { ...over, program: (batch) => Effect.sync(() => deep(batch)) })
  const saving = await run(20, {
    ...over,
    program: (batch) => Effect.sync(() => ({ ...deep(batch), recompute: "auto" })),
  })
  assert.deepEqual(saving.losses, plain.losses)
  assert.deepEqual(saving.result.last, plain.result.last)
})
