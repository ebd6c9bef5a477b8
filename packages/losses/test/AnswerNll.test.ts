import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { answerLogLikelihood, answerNll, rowsOfPlaces } from "@tandem/losses"
import { type Dims, type ElementType, GraphBuilder, InvalidGraph } from "@tandem/onnx"

const inputsOf = (logits: Dims, targets: Dims, mask: Dims = targets, maskType: ElementType = "float32") => {
  const g = new GraphBuilder()
  return {
    g,
    logits: g.input("logits", "float32", logits),
    targets: g.input("targets", "int64", targets),
    mask: g.input("mask", maskType, mask),
  }
}

describe("graphs of answerNll", () => {
  it("have the promised shapes, and no one-hot", () => {
    const { g, ...inputs } = inputsOf([2, 7, 50], [2, 7])
    const { loss, perToken, perSequence, counts } = answerNll(g, inputs)
    const graph = g.build({ loss, perToken, perSequence, counts })
    assert.deepEqual(
      graph.outputs.map(({ dims }) => dims),
      [[], [2, 7], [2], [2]],
    )
    assert.deepEqual(
      graph.nodes.filter(({ op, domain }) => ["OneHot", "ConstantOfShape"].includes(op) || domain !== ""),
      [],
    )
  })

  it("take logits at chosen places, and targets with a last axis of one", () => {
    for (const targets of [[9], [9, 1]]) {
      const { g, ...inputs } = inputsOf([9, 50], targets)
      const rows = rowsOfPlaces(g, g.input("logit_rows", "int64", [9]), { batch: 3, tokens: 8 })
      const { perToken, perSequence, counts } = answerLogLikelihood(g, { ...inputs, rows })
      assert.deepEqual([perToken.dims, perSequence.dims, counts.dims], [[9], [3], [3]])
    }
    const { g, ...inputs } = inputsOf([9, 50], [9], [9, 1], "bool")
    const { perToken, perSequence } = answerLogLikelihood(g, inputs)
    assert.deepEqual([perToken.dims, perSequence.dims], [[9], [1]])
  })

  it("may be of any batch and length", () => {
    const { g, ...inputs } = inputsOf(["batch", "tokens", 50], ["batch", "tokens"])
    const { perToken, perSequence } = answerLogLikelihood(g, inputs)
    assert.deepEqual([perToken.dims, perSequence.dims], [["batch", "tokens"], ["batch"]])
  })

  it("are refused where shapes or types do not fit", () => {
    const refused = (field: string, { g, ...inputs }: ReturnType<typeof inputsOf>): void => {
      assert.throws(
        () => answerNll(g, inputs),
        (error) => error instanceof InvalidGraph && error.field === field,
      )
    }
    refused("logits", inputsOf([50], [1]))
    refused("logits", inputsOf([2, 3, 7, 50], [2, 3, 7]))
    refused("targets", inputsOf([2, 7, 50], [2, 8]))
    refused("targets", inputsOf([2, 7, 50], [2, 7, 1]))
    refused("mask", inputsOf([2, 7, 50], [2, 7], [2, 1]))
    refused("mask", inputsOf([2, 7, 50], [2, 7], [2, 7], "int64"))
    const { g, ...inputs } = inputsOf([9, 50], [9])
    const example = () => answerNll(g, inputs, { reduction: "example" })
    assert.throws(example, { _tag: "InvalidGraph", field: "rows" })
  })
})
