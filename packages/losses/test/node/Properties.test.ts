import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type InBatchNllInputs, type InBatchNllOptions, inBatchDiagnostics, inBatchNll } from "@tandem/losses"
import { bool, float32, type Tensor } from "@tandem/onnx"
import { rows } from "./support/Data.ts"
import { graphOver, largestDifference, type Matrix, matrix, run, runWithGradients } from "./support/Run.ts"

const queries = rows(3, 4, 3)
const passages = rows(7, 4, 4)

type Masks = Readonly<Partial<Record<"excluded" | "relevant", readonly (readonly boolean[])[]>>>

const lossOf = async (q: Matrix, p: Matrix, options: InBatchNllOptions, masks: Masks = {}) => {
  const feeds: Record<string, Tensor> = { queries: matrix(q), passages: matrix(p) }
  for (const [name, mask] of Object.entries(masks)) feeds[name] = bool([q.length, p.length], mask.flat())
  const graph = graphOver(feeds, (g, given) => {
    const { queries, passages, ...rest } = given
    assert.ok(queries !== undefined && passages !== undefined)
    const inputs: InBatchNllInputs = { queries, passages, ...rest }
    const { loss, perQuery, scores } = inBatchNll(g, inputs, options)
    const { rank, meanRank, accuracy, entropy } = inBatchDiagnostics(g, scores, inputs.excluded)
    return { loss, perQuery, rank, meanRank, accuracy, entropy }
  })
  const outputs = await runWithGradients(graph, feeds, ["queries", "passages"])
  return { value: outputs["loss"]?.[0] ?? Number.NaN, outputs }
}

const none = (count: number, width: number): boolean[][] =>
  Array.from({ length: count }, () => Array.from({ length: width }, () => false))

const dot: InBatchNllOptions = { similarity: "dot" }
const close = (a: number, b: number, tolerance = 1e-6): void => assert.ok(Math.abs(a - b) < tolerance, `${a} and ${b}`)

describe("inBatchNll", () => {
  it("grows by exactly ln 2 where every passage stands there twice", async () => {
    for (const similarity of ["dot", "cosine"] as const) {
      const once = await lossOf(queries, passages, { similarity })
      const twice = await lossOf(queries, [...passages, ...passages], { similarity })
      close(twice.value - once.value, Math.LN2, 3e-6)
    }
  })

  it("does not depend on the order of the hard negatives", async () => {
    const turned = [...passages.slice(0, 3), ...passages.slice(3).reverse()]
    for (const symmetric of [false, true]) {
      const options = { ...dot, symmetric }
      close((await lossOf(queries, passages, options)).value, (await lossOf(queries, turned, options)).value)
    }
  })

  it("is ln P where all embeddings are the same, and ranks the positive last", async () => {
    const same = (count: number): Matrix => Array.from({ length: count }, () => [0.1, 0.2, 0.3, 0.4])
    const found = await lossOf(same(3), same(7), dot)
    close(found.value, Math.log(7))
    close(found.outputs["entropy"]![0]!, Math.log(7))
    assert.deepEqual([found.outputs["accuracy"], found.outputs["meanRank"]], [[0], [7]])
  })

  it("with excluded passages is the loss of a pool without them, gradients included", async () => {
    const excluded = none(3, 7).map((row) => row.map((_, j) => j === 4 || j === 6))
    const masked = await lossOf(queries, passages, dot, { excluded })
    const kept = [0, 1, 2, 3, 5]
    const smaller = await lossOf(
      queries,
      kept.map((j) => passages[j]!),
      dot,
    )
    close(masked.value, smaller.value)
    assert.deepEqual(masked.outputs["rank"], smaller.outputs["rank"])
    close(masked.outputs["entropy"]![0]!, smaller.outputs["entropy"]![0]!)
    assert.ok(largestDifference(masked.outputs["grad.queries"], smaller.outputs["grad.queries"]) < 1e-6)
    const rowsOf = (gradient: readonly number[] = [], j: number) => gradient.slice(j * 4, j * 4 + 4)
    for (const [at, j] of kept.entries()) {
      assert.ok(
        largestDifference(rowsOf(masked.outputs["grad.passages"], j), rowsOf(smaller.outputs["grad.passages"], at)) <
          1e-6,
      )
    }
    for (const j of [4, 6]) assert.deepEqual(rowsOf(masked.outputs["grad.passages"], j).map(Math.abs), [0, 0, 0, 0])
  })

  it("never excludes a query's own positive, even where everything is excluded", async () => {
    const excluded = none(3, 7).map((row) => row.map(() => true))
    const found = await lossOf(queries, passages, { ...dot, symmetric: true }, { excluded })
    close(found.value, 0)
    for (const name of ["grad.queries", "grad.passages"]) {
      assert.ok((found.outputs[name] ?? []).every((value) => Math.abs(value) < 1e-7))
    }
  })

  it("keeps a relevant passage in the sum where it is excluded as well", async () => {
    const relevant = none(3, 7)
    relevant[0]![4] = true
    const options = { ...dot, multiPositive: "sum" } as const
    const alone = await lossOf(queries, passages, options, { relevant })
    const both = await lossOf(queries, passages, options, { relevant, excluded: relevant })
    close(alone.value, both.value)
    assert.ok(alone.value < (await lossOf(queries, passages, dot)).value)
  })

  it("reads `relevant` under `exclude` as it reads `excluded`", async () => {
    const mask = none(3, 7)
    mask[1]![0] = true
    mask[2]![5] = true
    const [a, b] = [
      await lossOf(queries, passages, dot, { relevant: mask }),
      await lossOf(queries, passages, dot, { excluded: mask }),
    ]
    assert.equal(a.value, b.value)
  })

  it("stays finite and right for scores in the ten thousands", async () => {
    const scaled = (matrix: Matrix): Matrix => matrix.map((row) => row.map((value) => 1000 * value))
    const mask = none(3, 7)
    mask[0]![3] = true
    for (const multiPositive of ["exclude", "sum", "mean"] as const) {
      const options = { similarity: "dot", temperature: 0.01, multiPositive } as const
      const found = await lossOf(scaled(queries), scaled(passages), options, { relevant: mask })
      for (const [name, values] of Object.entries(found.outputs)) {
        assert.ok(values.every(Number.isFinite), `${multiPositive}: ${name} is ${values}`)
      }
    }
  })

  it("keeps the digits of a small loss between large scores", async () => {
    const found = await lossOf(
      [[100, 0]],
      [
        [100, 0],
        [99.9, 0],
      ],
      dot,
    )
    close(found.value / Math.log1p(Math.exp(-10)), 1, 1e-2)
  })

  it("gives a row of zeros finite gradients under cosine", async () => {
    const found = await lossOf([[0, 0, 0, 0], ...queries.slice(1)], passages, { similarity: "cosine", temperature: 1 })
    assert.ok([...found.outputs["grad.queries"]!, ...found.outputs["grad.passages"]!].every(Number.isFinite))
  })

  describe("with weights", () => {
    const feedsOf = (weights: readonly number[]) => ({
      queries: matrix(queries),
      passages: matrix(passages),
      weights: float32([weights.length], weights),
    })
    const graph = graphOver(feedsOf([1, 1, 1]), (g, { queries, passages, weights }) => {
      assert.ok(queries !== undefined && passages !== undefined && weights !== undefined)
      const { loss, perQuery } = inBatchNll(g, { queries, passages, weights }, dot)
      return { loss, perQuery }
    })

    it("is the weighted mean of the queries' losses, whatever the weights sum to", async () => {
      const { loss, perQuery } = await run(graph, feedsOf([4, 0, 1]))
      close(loss![0]!, (4 * perQuery![0]! + perQuery![2]!) / 5)
      close((await run(graph, feedsOf([0.4, 0, 0.1])))["loss"]![0]!, loss![0]!)
    })

    it("is the plain mean where all are the same", async () => {
      close((await run(graph, feedsOf([3, 3, 3])))["loss"]![0]!, (await lossOf(queries, passages, dot)).value)
    })

    it("is 0 with gradients of 0 where all are 0", async () => {
      const feeds = feedsOf([0, 0, 0])
      const gradients = await runWithGradients(graph, feeds, ["queries", "passages"])
      assert.equal((await run(graph, feeds))["loss"]![0], 0)
      assert.ok(
        Object.entries(gradients).every(([name, values]) => !name.startsWith("grad.") || values.every((v) => v === 0)),
      )
    })
  })
})

describe("inBatchDiagnostics", () => {
  it("ranks positives among their competitors", async () => {
    const q = [
      [1, 0],
      [0, 1],
    ]
    const p = [
      [3, 0],
      [0, 1],
      [2, 2],
      [0, 5],
    ]
    const all = await lossOf(q, p, dot)
    assert.deepEqual(all.outputs["rank"], [1, 3])
    assert.deepEqual([all.outputs["meanRank"], all.outputs["accuracy"]], [[2], [0.5]])
    const excluded = none(2, 4)
    excluded[1] = [false, false, true, true]
    const fewer = await lossOf(q, p, dot, { excluded })
    assert.deepEqual(fewer.outputs["rank"], [1, 1])
  })
})
