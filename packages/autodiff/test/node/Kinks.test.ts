// Where no derivative exists, the choice is PyTorch's; finite differences cannot tell it.
import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import { float32, GraphBuilder, int, int64, string, toNumbers, type Value } from "@tandem/onnx"
import { differentiate } from "../../src/Differentiate.ts"
import { cpu } from "../support/Run.ts"

const { run, close } = cpu()
after(close)

/** Gradients of the sum of `make`'s result by its operands. */
const gradients = async (
  operands: readonly (readonly number[])[],
  make: (g: GraphBuilder, ...values: readonly Value[]) => Value,
): Promise<number[][]> => {
  const g = new GraphBuilder()
  const names = operands.map((_, index) => `x${index}`)
  const values = operands.map((numbers, index) => g.input(names[index]!, "float32", [numbers.length]))
  const graph = g.build({ loss: g.reduceSum(make(g, ...values), [], false) })
  const feeds = Object.fromEntries(
    operands.map((numbers, index) => [names[index]!, float32([numbers.length], numbers)]),
  )
  const outputs = await run(differentiate(graph, { loss: "loss", wrt: names }), feeds)
  return names.map((name) => toNumbers(outputs[`grad.${name}`]!).map((value) => value + 0))
}

describe("gradients at kinks", () => {
  it("ReduceMax and ReduceMin share among equals", async () => {
    const x = [1, 3, 3, 0, 0]
    assert.deepEqual(await gradients([x], (g, v) => g.reduceMax(v!, [0])), [[0, 0.5, 0.5, 0, 0]])
    assert.deepEqual(await gradients([x], (g, v) => g.op("ReduceMin", [v])[0]!), [[0, 0, 0, 0.5, 0.5]])
  })

  it("Max and Min give each position to one operand, the first of equals", async () => {
    const operands = [
      [1, 2, 5],
      [1, 3, 5],
      [1, 3, 4],
    ]
    assert.deepEqual(await gradients(operands, (g, ...v) => g.op("Max", v)[0]!), [
      [1, 0, 1],
      [0, 1, 0],
      [0, 0, 0],
    ])
    assert.deepEqual(await gradients(operands, (g, ...v) => g.op("Min", v)[0]!), [
      [1, 1, 0],
      [0, 0, 0],
      [0, 0, 1],
    ])
  })

  it("Relu and Abs are flat at 0, Clip passes its bounds", async () => {
    assert.deepEqual(await gradients([[-1, 0, 1]], (g, v) => g.relu(v!)), [[0, 0, 1]])
    assert.deepEqual(await gradients([[-1, 0, 1]], (g, v) => g.abs(v!)), [[-1, 0, 1]])
    const clip = (g: GraphBuilder, v: Value | undefined) => g.op("Clip", [v, g.scalar(-1), g.scalar(1)])[0]!
    assert.deepEqual(await gradients([[-2, -1, 0, 1, 2]], clip), [[0, 1, 1, 1, 0]])
    const bounds = [[-2, -1, 0, 1, 2], [-1], [1]]
    const clipBy = (g: GraphBuilder, ...[x, low, high]: readonly Value[]) =>
      g.op("Clip", [x, g.reshape(low!, []), g.reshape(high!, [])])[0]!
    assert.deepEqual((await gradients(bounds, clipBy)).slice(1), [[1], [1]])
  })

  it("a product with factors of 0 has the products of the others", async () => {
    const product = (g: GraphBuilder, v: Value | undefined) => g.op("ReduceProd", [v])[0]!
    assert.deepEqual(await gradients([[2, 3, 4]], product), [[12, 8, 6]])
    assert.deepEqual(await gradients([[2, 0, 4]], product), [[0, 8, 0]])
    assert.deepEqual(await gradients([[0, 0, 4]], product), [[0, 0, 0]])
  })

  it("activations in pieces are flat, or steep, where PyTorch's are", async () => {
    const apply = (op: string) => (g: GraphBuilder, v: Value | undefined) => g.op(op, [v])[0]!
    const near = (found: number[][]) => found[0]!.map((value) => Math.round(value * 1e4) / 1e4)
    assert.deepEqual(near(await gradients([[-1, 0, 1]], apply("LeakyRelu"))), [0.01, 0.01, 1])
    assert.deepEqual(near(await gradients([[-4, -3, 0, 3, 4]], apply("HardSwish"))), [0, 0, 0.5, 1, 1])
    assert.deepEqual(near(await gradients([[-3, 0, 3]], apply("HardSigmoid"))), [0, 0.2, 0])
    assert.deepEqual(near(await gradients([[-200, 200]], apply("Elu"))), [0, 1])
    assert.deepEqual(near(await gradients([[-200, 200]], apply("Softplus"))), [0, 1])
    assert.deepEqual(near(await gradients([[-200, 200]], apply("Mish"))), [0, 1])
  })

  it("a batch whose labels are all ignored has a gradient of 0", async () => {
    const found = await gradients([[1, 2, 3, 4, 5, 6]], (g, v) => {
      const labels = g.constant(int64([2], [-100, -100]))
      const [loss] = g.op("SoftmaxCrossEntropyLoss", [g.reshape(v!, [2, 3]), labels], {
        attributes: { ignore_index: int(-100), reduction: string("sum") },
      })
      return loss!
    })
    assert.deepEqual(found, [[0, 0, 0, 0, 0, 0]])
  })

  it("the norm of zeros and a power of 0 have finite gradients", async () => {
    assert.deepEqual(await gradients([[0, 0]], (g, v) => g.op("ReduceL2", [v])[0]!), [[0, 0]])
    assert.deepEqual(await gradients([[0, 2]], (g, v) => g.pow(v!, g.scalar(2))), [[0, 4]])
    assert.deepEqual((await gradients([[0], [2]], (g, ...v) => g.pow(v[0]!, v[1]!)))[1], [0])
  })
})
