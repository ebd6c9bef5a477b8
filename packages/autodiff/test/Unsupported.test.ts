// What a rule does not know is refused by name; a gradient of 0 never stands for it.
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Attributes, float32, GraphBuilder, int, int64, ints, string, type Tensor, type Value } from "@tandem/onnx"
import { differentiate } from "../src/Differentiate.ts"
import { MissingGradient, NotDifferentiable } from "../src/Errors.ts"

interface Refused {
  readonly op: string
  readonly domain?: string
  /** Shapes of operands that are trained, or constants. */
  readonly operands: readonly (Tensor | readonly number[])[]
  readonly attributes: Attributes
  readonly outputs?: readonly { readonly type: "float32" | "int64"; readonly dims: readonly number[] }[]
  /** The operand that the error names, and what it expects. */
  readonly input: string
  readonly expected: string
}

const tensorOf = (dims: readonly number[]): Tensor =>
  float32(dims, new Float32Array(dims.reduce((product, dim) => product * dim, 1)))

const refusals: readonly Refused[] = [
  ...["mul", "min", "max"].flatMap((reduction): readonly Refused[] => [
    {
      op: "ScatterND",
      operands: [[4, 2], int64([1, 1], [0]), tensorOf([1, 2])],
      attributes: { reduction: string(reduction) },
      input: "data",
      expected: "reduction none or add",
    },
    {
      op: "ScatterElements",
      operands: [tensorOf([4, 2]), int64([1, 2], [0, 1]), [1, 2]],
      attributes: { reduction: string(reduction) },
      input: "updates",
      expected: "reduction none or add",
    },
  ]),
  {
    op: "BatchNormalization",
    operands: [[2, 3, 4], [3], [3], tensorOf([3]), tensorOf([3])],
    attributes: { training_mode: int(1) },
    input: "X",
    expected: "training_mode 0",
  },
  {
    op: "Pad",
    operands: [[3], int64([2], [1, 1])],
    attributes: { mode: string("mirror") },
    input: "data",
    expected: "mode constant, edge, reflect or wrap",
  },
  {
    op: "MaxPool",
    operands: [[1, 1, 4, 4]],
    attributes: { kernel_shape: ints([2, 2]), storage_order: int(1) },
    input: "X",
    expected: "storage_order 0",
  },
  {
    op: "ConvTranspose",
    operands: [[1, 1, 4], tensorOf([1, 1, 3])],
    attributes: { auto_pad: string("SAME_UPPER") },
    outputs: [{ type: "float32", dims: [1, 1, 4] }],
    input: "X",
    expected: "auto_pad left to pads and output_padding",
  },
  {
    op: "ConvTranspose",
    operands: [tensorOf([1, 1, 4]), [1, 1, 3]],
    attributes: { output_shape: ints([5]) },
    outputs: [{ type: "float32", dims: [1, 1, 5] }],
    input: "W",
    expected: "output_shape left to pads and output_padding",
  },
  {
    op: "FusedMatMul",
    domain: "com.microsoft",
    operands: [tensorOf([2, 2, 2]), [2, 2, 2]],
    attributes: { transBatchB: int(1) },
    input: "B",
    expected: "transBatchB 0",
  },
  {
    op: "Einsum",
    operands: [[3]],
    attributes: { equation: string("i->ii") },
    outputs: [{ type: "float32", dims: [3, 3] }],
    input: "Inputs",
    expected: "equation distinct results",
  },
]

const differentiated = ({ op, domain = "", operands, attributes, outputs }: Refused): unknown => {
  const g = new GraphBuilder()
  const wrt: string[] = []
  const values = operands.map((operand, index): Value => {
    if ("data" in operand) return g.constant(operand)
    wrt.push(`x${index}`)
    return g.input(`x${index}`, "float32", operand)
  })
  const options = { domain, attributes, name: "here", ...(outputs === undefined ? {} : { outputs }) }
  const loss = g.reduceSum(g.op(op, values, options)[0]!, [], false)
  return differentiate(g.build({ loss }), { loss: "loss", wrt })
}

describe("an attribute value that no rule knows is an error with operator, opset, node, input and attribute", () => {
  for (const each of refusals) {
    const settings = Object.entries(each.attributes).map(([name, { value }]) => `${name} ${value}`)
    it(`${each.op} with ${settings}, by ${each.input}`, () => {
      assert.throws(
        () => differentiated(each),
        (error) => {
          assert.ok(error instanceof MissingGradient, String(error))
          const key = each.domain === undefined ? each.op : `${each.domain}.${each.op}`
          assert.deepEqual(
            [error.op, error.node, error.input, error.expected],
            [key, "here", each.input, each.expected],
          )
          assert.equal(error.opset, each.domain === undefined ? 20 : 1)
          return true
        },
      )
    })
  }
})

describe("an operand that a gradient reads while it is built must be a constant", () => {
  const computed: Readonly<Record<string, (g: GraphBuilder, x: Value, sizes: Value) => Value>> = {
    "Slice.starts": (g, x, sizes) => g.op("Slice", [x, sizes, g.indices([3])])[0]!,
    "Tile.repeats": (g, x, sizes) => g.op("Tile", [x, sizes])[0]!,
    "Pad.pads": (g, x, sizes) => g.op("Pad", [x, g.concat([sizes, sizes], 0)])[0]!,
  }
  for (const [name, make] of Object.entries(computed)) {
    it(name, () => {
      const g = new GraphBuilder()
      const x = g.input("x", "float32", [3])
      const made = make(g, x, g.cast(g.reduceSum(g.exp(x), [0], true), "int64"))
      const shaped = g.op("Identity", [made], { outputs: [{ type: "float32", dims: [3] }] })[0]!
      const graph = g.build({ loss: g.reduceSum(shaped, [0], false) })
      assert.throws(
        () => differentiate(graph, { loss: "loss", wrt: ["x"] }),
        (error) => error instanceof NotDifferentiable,
      )
    })
  }
})
