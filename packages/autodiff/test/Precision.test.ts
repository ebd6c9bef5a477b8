import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type ElementType, GraphBuilder, int, type Tensor, type Value } from "@tandem/onnx"
import { differentiate } from "../src/Differentiate.ts"
import { caseOf, cases } from "./cases/index.ts"

const inPrecision = (tensor: Tensor, type: "float16" | "float64"): Tensor => {
  if (tensor.type !== "float32") return tensor
  return type === "float16"
    ? { type, dims: tensor.dims, data: new Uint16Array(tensor.data.length) }
    : { type, dims: tensor.dims, data: Float64Array.from(tensor.data, Number) }
}

/** Operators whose operands or results have a type of their own. */
const apart = new Set(["Cast", "CastLike"])

describe("a gradient has the type and shape of its operand in every precision", () => {
  for (const type of ["float16", "float64"] as const) {
    for (const [key, list] of Object.entries(cases)) {
      if (apart.has(key)) continue
      it(`${key}, ${type}`, () => {
        for (const each of list.map((one) => caseOf(key, one))) {
          const g = new GraphBuilder()
          const operands = each.inputs.map((tensor, index): Value | undefined => {
            if (tensor === undefined) return undefined
            const value = inPrecision(tensor, type)
            return each.wrt.includes(index) ? g.input(`x${index}`, value.type, value.dims) : g.constant(value)
          })
          const { op, domain = "", attributes = {}, outputs = 1 } = each
          const results = g.op(op, operands, { domain, attributes, outputs })
          const sum = results.reduce<Value | undefined>((total, value, index) => {
            const read = value.type === type && each.uses?.includes(index) !== false
            if (!read) return total
            const term = g.reduceSum(g.op("Cast", [value], { attributes: { to: int(1) } })[0]!, [], false)
            return total === undefined ? term : g.add(total, term)
          }, undefined)
          const wrt = each.wrt.map((index) => `x${index}`)
          const graph = differentiate(g.build({ loss: sum! }), { loss: "loss", wrt })
          for (const index of each.wrt) {
            const found = graph.outputs.find(({ name }) => name === `grad.x${index}`)
            const expected: ElementType = each.inputs[index]!.type === "float32" ? type : each.inputs[index]!.type
            assert.deepEqual([found?.type, found?.dims], [expected, each.inputs[index]!.dims], each.name)
          }
        }
      })
    }
  }
})
