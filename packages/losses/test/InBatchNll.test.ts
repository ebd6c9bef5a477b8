import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { defaultTemperature, inBatchDiagnostics, inBatchNll, similarityScores } from "@tandem/losses"
import { type Dims, type ElementType, GraphBuilder, InvalidGraph, type Value } from "@tandem/onnx"

const batchOf = (queries: Dims, passages: Dims, type: ElementType = "float32") => {
  const g = new GraphBuilder()
  return { g, queries: g.input("queries", type, queries), passages: g.input("passages", type, passages) }
}

const refuses = (body: () => unknown, field?: string): void => {
  assert.throws(body, (error) => error instanceof InvalidGraph && (field === undefined || error.field === field))
}

describe("graphs of inBatchNll", () => {
  it("have the promised shapes and only operators that WebGPU has", () => {
    for (const similarity of ["dot", "cosine"] as const) {
      const { g, ...inputs } = batchOf([4, 8], [12, 8])
      const excluded = g.input("excluded", "bool", [4, 12])
      const { loss, perQuery, scores } = inBatchNll(g, { ...inputs, excluded }, { similarity, symmetric: true })
      const { accuracy, rank } = inBatchDiagnostics(g, scores, excluded)
      const graph = g.build({ loss, perQuery, scores, accuracy, rank })
      assert.deepEqual(
        graph.outputs.map(({ dims }) => dims),
        [[], [4], [4, 12], [], [4]],
      )
      const lacking = ["LogSoftmax", "OneHot", "FusedMatMul", "SoftmaxCrossEntropyLoss", "ConstantOfShape", "Sign"]
      assert.deepEqual(
        graph.nodes.filter(({ op, domain }) => lacking.includes(op) || domain !== ""),
        [],
      )
    }
  })

  it("have a temperature of 1 for inner products and 0.05 for cosines", () => {
    assert.deepEqual([defaultTemperature("dot"), defaultTemperature("cosine")], [1, 0.05])
  })

  it("are refused where the sizes do not fit", () => {
    for (const [queries, passages, type] of [
      [[4, 8], [3, 8], "float32"],
      [[4, 8], [4, 9], "float32"],
      [["batch", 8], [4, 8], "float32"],
      [[4, 2, 8], [4, 8], "float32"],
      [[4, 8], [4, 8], "float64"],
    ] as const) {
      const { g, ...inputs } = batchOf(queries, passages, type)
      refuses(() => inBatchNll(g, inputs, { similarity: "dot" }))
    }
  })

  it("are refused where masks and weights do not fit", () => {
    const { g, ...inputs } = batchOf([4, 8], [6, 8])
    const wrong: Readonly<Record<string, Value>> = {
      excluded: g.input("a", "bool", [6, 4]),
      relevant: g.input("b", "float32", [4, 6]),
      weights: g.input("c", "float32", [6]),
    }
    for (const [field, value] of Object.entries(wrong)) {
      refuses(() => inBatchNll(g, { ...inputs, [field]: value }, { similarity: "dot" }), field)
    }
  })

  it("are refused where a setting contradicts another or is missing", () => {
    const { g, ...inputs } = batchOf([4, 8], [6, 8])
    const scale = g.input("scale", "float32", [])
    refuses(() => inBatchNll(g, { ...inputs, scale }, { similarity: "dot", temperature: 1 }), "temperature")
    refuses(() => inBatchNll(g, inputs, { similarity: "dot", multiPositive: "sum" }), "relevant")
    refuses(() => inBatchNll(g, inputs, { similarity: "dot", multiPositive: "mean" }), "relevant")
    for (const temperature of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      refuses(
        () => similarityScores(g, inputs.queries, inputs.passages, { similarity: "dot", temperature }),
        "temperature",
      )
    }
  })
})
