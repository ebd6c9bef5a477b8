import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Dims, float32, type Graph, GraphBuilder, int, int64, type Value } from "@tandem/onnx"
import { differentiate, gradientName } from "../src/Differentiate.ts"
import { Disconnected, MissingGradient, NotDifferentiable } from "../src/Errors.ts"
import { influences } from "../src/internal/path.ts"
import { todo } from "../src/Rule.ts"
import { builtinRules, extend } from "../src/RuleTable.ts"

const total = (g: GraphBuilder, value: Value): Value => g.reduceSum(value, [], false)

/** A graph of one input `x` with the output `loss`. */
const graphOf = (make: (g: GraphBuilder, x: Value) => Value, dims: Dims = [3]): Graph => {
  const g = new GraphBuilder()
  return g.build({ loss: make(g, g.input("x", "float32", dims)) }, "sample")
}

const byX = { loss: "loss", wrt: ["x"] }

const missing = (graph: Graph, options: Parameters<typeof differentiate>[1] = byX): MissingGradient => {
  try {
    differentiate(graph, options)
  } catch (error) {
    assert.ok(error instanceof MissingGradient, String(error))
    return error
  }
  throw new assert.AssertionError({ message: "no gradient is missing" })
}

describe("a gradient that does not exist", () => {
  it("is reported for an operator without a rule", () => {
    const graph = graphOf((g, x) =>
      total(g, g.op("Bend", [x], { outputs: [{ type: "float32", dims: [3] }], name: "bend" })[0]!),
    )
    const { op, opset, input, node, message } = missing(graph)
    assert.deepEqual([op, opset, input, node], ["Bend", 20, "0", "bend"])
    assert.match(message, /Bend \(opset 20\) has no gradient towards input 0: no rule for this operator/)
  })

  it("is reported for an operator of another domain under its full name", () => {
    const graph = graphOf((g, x) =>
      total(g, g.op("Strange", [x], { domain: "org.example", outputs: [{ type: "float32", dims: [3] }] })[0]!),
    )
    const { op, opset } = missing(graph)
    assert.deepEqual([op, opset], ["org.example.Strange", 1])
  })

  it("is reported for an input that has none by nature, with the reason", () => {
    const rate = missing(graphOf((g, x) => total(g, g.op("Dropout", [g.scalar(0), x])[0]!), []))
    assert.deepEqual([rate.op, rate.input], ["Dropout", "ratio"])
    assert.match(rate.message, /a rate is a setting/)
    assert.equal(missing(graphOf((g, x) => total(g, g.sign(x)))).input, "input")
  })

  it("is no error where the value reaches the loss otherwise too: that way adds nothing", () => {
    const graph = graphOf((g, x) => total(g, g.mul(x, g.op("Floor", [x])[0]!)))
    const ops = differentiate(graph, byX).nodes.map((node) => node.op)
    assert.deepEqual(ops.filter((op) => op === "Floor").length, 1)
  })

  it("is reported for the value that only reaches the loss that way, though another one does well", () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [3])
    const y = g.input("y", "float32", [3])
    const graph = g.build({ loss: total(g, g.mul(x, g.op("Round", [g.neg(y)], { name: "rounding" })[0]!)) })
    const { op, input, node, message } = missing(graph, { loss: "loss", wrt: ["x", "y"] })
    assert.deepEqual([op, input, node], ["Round", "X", "rounding"])
    assert.match(message, /zero almost everywhere/)
  })

  it("is reported where activations are quantised, though they reach the loss otherwise too", () => {
    const graph = graphOf((g, x) => {
      const scale = g.scalar(0.1)
      const whole = g.op("QuantizeLinear", [x, scale], { outputs: [{ type: "uint8", dims: [3] }] })[0]!
      return total(g, g.add(x, g.op("DequantizeLinear", [whole, scale])[0]!))
    })
    const { op, input, message } = missing(graph)
    assert.deepEqual([op, input], ["DequantizeLinear", "x"])
    assert.match(message, /quantised to whole numbers/)
  })

  it("is no error for a draw of the value's shape", () => {
    const graph = graphOf((g, x) => total(g, g.mul(x, g.op("RandomUniformLike", [x])[0]!)))
    assert.equal(differentiate(graph, byX).outputs.length, 2)
  })

  it("is reported for a gap in the table", () => {
    const rules = { ...builtinRules, Tanh: [{ since: 1, inputs: { input: todo("not written") } }] }
    const { op, input, message } = missing(
      graphOf((g, x) => total(g, g.tanh(x))),
      { ...byX, rules },
    )
    assert.deepEqual([op, input], ["Tanh", "input"])
    assert.match(message, /not written/)
  })

  it("is reported for an operand beyond those that a rule knows", () => {
    const graph = graphOf((g, x) =>
      total(g, g.op("Neg", [g.scalar(1), x], { outputs: [{ type: "float32", dims: [3] }] })[0]!),
    )
    assert.equal(missing(graph).input, "1")
  })

  it("is reported for a statistic that no gradient flows through", () => {
    const graph = graphOf((g, x) => {
      const scale = g.constant(int64([1], [1]))
      const [y, mean] = g.op("LayerNormalization", [x, g.cast(scale, "float32")], { outputs: 3 })
      return g.add(total(g, y!), total(g, mean!))
    })
    assert.match(missing(graph).message, /depends on its further output/)
  })

  it("is reported for an attribute whose value no rule knows", () => {
    const graph = graphOf(
      (g, x) => {
        const attributes = { transBatchA: int(1) }
        const options = { domain: "com.microsoft", attributes, name: "swap" }
        return total(g, g.op("FusedMatMul", [x, g.constant(float32([2, 2], [1, 2, 3, 4]))], options)[0]!)
      },
      [2, 2, 2],
    )
    const { op, opset, input, node, expected, message } = missing(graph)
    assert.deepEqual([op, opset, input, node], ["com.microsoft.FusedMatMul", 1, "A", "swap"])
    assert.equal(expected, "transBatchA 0")
    assert.match(message, /transBatchA 1 has no gradient towards input A/)
  })

  it("does not matter where no value of the path goes", () => {
    const graph = graphOf((g, x) => {
      const aside = g.op("Bend", [g.constant(int64([], [1]))], { outputs: [{ type: "float32", dims: [] }] })[0]!
      return total(g, g.mul(x, aside))
    })
    assert.deepEqual(
      differentiate(graph, byX).outputs.map(({ name }) => name),
      ["loss", "grad.x"],
    )
  })

  it("is reported for an operator set older than the rule", () => {
    const rules = { ...builtinRules, Tanh: builtinRules["Tanh"]!.map((rule) => ({ ...rule, since: 21 })) }
    assert.match(
      missing(
        graphOf((g, x) => total(g, g.tanh(x))),
        { ...byX, rules },
      ).message,
      /no rule/,
    )
  })
})

describe("a value that the loss does not depend on", () => {
  const disconnected = (graph: Graph, tensor: string) =>
    assert.throws(
      () => differentiate(graph, { loss: "loss", wrt: ["x", tensor] }),
      (error) => error instanceof Disconnected && error.tensor === tensor,
    )

  it("is named", () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [3])
    g.input("unused", "float32", [3])
    disconnected(g.build({ loss: total(g, x) }), "unused")
    disconnected(g.build({ loss: total(g, x) }), "nowhere")
  })

  it("is one that reaches it through a comparison or a rounding alone", () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [3])
    const limit = g.input("limit", "float32", [])
    const whole = g.input("whole", "float32", [])
    const kept = g.where(g.greater(x, limit), x, g.scalar(0))
    const loss = total(g, g.mul(kept, g.cast(g.cast(whole, "int64"), "float32")))
    const graph = g.build({ loss })
    disconnected(graph, "limit")
    disconnected(graph, "whole")
    assert.deepEqual(influences(graph, "loss", ["x", "limit", "whole", "nowhere"]), ["x"])
  })
})

describe("a graph that cannot be differentiated as it is", () => {
  const refused = (graph: Graph, message: RegExp, options: Parameters<typeof differentiate>[1] = byX) =>
    assert.throws(
      () => differentiate(graph, options),
      (error) => {
        assert.ok(error instanceof NotDifferentiable, String(error))
        assert.match(error.message, message)
        return true
      },
    )

  it("has a loss that is no scalar", () =>
    refused(
      graphOf((g, x) => g.exp(x)),
      /the loss loss is no scalar/,
    ))

  it("has a value of an unknown shape on the path", () => {
    refused(
      graphOf((g, x) => g.reduceSum(g.exp(x), [0, 1], false), ["batch", 3]),
      /the shape of .* is not known/,
    )
    refused(
      graphOf((g, x) => g.reduceSum(g.op("Bend", [x], { outputs: [{ type: "float32", dims: undefined }] })[0]!, [0])),
      /not known/,
    )
  })

  it("has computed axes, starts or repeats", () => {
    const graph = graphOf((g, x) => {
      const axes = g.cast(g.reduceSum(x, [0], true), "int64")
      return g.op("ReduceSum", [x, axes], {
        attributes: { keepdims: int(0) },
        outputs: [{ type: "float32", dims: [] }],
      })[0]!
    })
    refused(graph, /operand axes is a constant/)
  })

  it("is of another operator set, or holds a subgraph", () => {
    const graph = graphOf((g, x) => total(g, x))
    refused({ ...graph, opsets: new Map([["", 17]]) }, /operator set 17/)
    const nodes = graph.nodes.map((node) => ({
      ...node,
      attributes: { body: { kind: "graph", value: graph } as const },
    }))
    refused({ ...graph, nodes }, /holds a subgraph/)
  })

  it("is to be differentiated by integers", () => {
    const g = new GraphBuilder()
    const x = g.input("x", "int64", [3])
    refused(g.build({ loss: total(g, g.cast(x, "float32")) }), /x is no float/)
  })
})

describe("names", () => {
  it("of gradients are grad.NAME, or what gradientName says", () => {
    const graph = graphOf((g, x) => total(g, x))
    assert.equal(gradientName("x"), "grad.x")
    const names = (options: Parameters<typeof differentiate>[1]) =>
      differentiate(graph, options).outputs.map((output) => output.name)
    assert.deepEqual(names(byX), ["loss", "grad.x"])
    assert.deepEqual(names({ ...byX, gradientName: (name) => `d/d${name}` }), ["loss", "d/dx"])
  })

  it("of nodes tell where a gradient came from, and no two are the same", () => {
    const graph = graphOf((g, x) => g.scope("head", () => total(g, g.tanh(x))))
    const nodes = differentiate(graph, byX).nodes.map((node) => node.name)
    assert.ok(nodes.some((name) => name.startsWith("gradient of head/")))
    assert.equal(new Set(nodes).size, nodes.length)
  })
})

describe("a rule table", () => {
  it("is extended by a new one that leaves the old one alone", () => {
    const rules = extend(builtinRules, {
      Bend: [{ since: 1, inputs: { X: ({ g, in: { X }, dY }) => g.mul(dY, g.sigmoid(X!)) } }],
    })
    assert.equal(Object.hasOwn(builtinRules, "Bend"), false)
    const graph = graphOf((g, x) => total(g, g.op("Bend", [x], { outputs: [{ type: "float32", dims: [3] }] })[0]!))
    assert.ok(differentiate(graph, { ...byX, rules }).nodes.some((node) => node.op === "Sigmoid"))
  })

  it("refuses an operator that it has already", () => {
    assert.throws(
      () => extend(builtinRules, { Tanh: [] }),
      (error) => error instanceof NotDifferentiable && error.op === "Tanh",
    )
  })

  it("has no gaps but these settings", () => {
    const gaps = Object.entries(builtinRules).flatMap(([op, rules]) =>
      rules.flatMap((rule) =>
        Object.entries(rule.inputs).flatMap(([input, entry]) => ("todo" in entry ? [`${op}.${input}`] : [])),
      ),
    )
    assert.deepEqual(gaps.sort(), [
      "DequantizeLinear.x",
      "DequantizeLinear.x_scale",
      "DequantizeLinear.x_zero_point",
      "Dropout.ratio",
      "DynamicQuantizeLinear.x",
      "NegativeLogLikelihoodLoss.weight",
      "QuantizeLinear.x",
      "QuantizeLinear.y_scale",
      "QuantizeLinear.y_zero_point",
      "SoftmaxCrossEntropyLoss.weights",
      "com.microsoft.GatherBlockQuantized.data",
      "com.microsoft.GatherBlockQuantized.scales",
      "com.microsoft.GatherBlockQuantized.zero_points",
      "com.microsoft.MatMulNBits.B",
      "com.microsoft.MatMulNBits.scales",
      "com.microsoft.MatMulNBits.zero_points",
    ])
  })
})

describe("rows that a scatter writes, too", () => {
  const taken = (writes: boolean) => {
    const graph = graphOf(
      (g, x) => {
        const at = g.constant(int64([2, 1], [3, 1]))
        const rows = g.op("GatherND", [x, at])[0]!
        const back = g.op("ScatterND", [g.zeros("float32", [5, 2]), at, g.exp(rows)])[0]!
        return g.reduceSum(writes ? back : rows, [], false)
      },
      [5, 2],
    )
    const { nodes, outputs } = differentiate(graph, byX)
    return nodes.find((node) => node.outputs.includes(outputs.at(-1)?.name ?? ""))?.op
  }
  it("are distinct, so their gradient is written and not added", () => {
    assert.equal(taken(true), "ScatterND")
    assert.notEqual(taken(false), "ScatterND")
  })
})

describe("results of cheap operators", () => {
  /** Operators that the differentiated graph reads the forward result of this operator with. */
  const readersOf = (graph: Graph, op: string): readonly string[] => {
    const name = graph.nodes.find((node) => node.op === op)?.outputs.at(op === "Split" ? -1 : 0) ?? ""
    return graph.nodes.filter(({ inputs }) => inputs.includes(name)).map((node) => node.op)
  }
  const square = (g: GraphBuilder, name: string): Value => g.input(name, "float32", [4, 4])
  /** x·a, an operator, and a product with b, whose gradient needs the operator's result. */
  const between = (apply: (g: GraphBuilder, x: Value) => Value): Graph => {
    const g = new GraphBuilder()
    const inner = g.matmul(square(g, "x"), square(g, "a"))
    const graph = g.build({ loss: total(g, g.exp(g.matmul(apply(g, inner), square(g, "b")))) })
    return differentiate(graph, { loss: "loss", wrt: ["a", "b"] })
  }

  const cases: readonly (readonly [string, (g: GraphBuilder, x: Value) => Value])[] = [
    ["Gelu", (g, x) => g.gelu(x)],
    ["Where", (g, x) => g.where(g.input("mask", "bool", [4, 4]), x, g.scalar(0))],
    ["QuickGelu", (g, x) => g.op("QuickGelu", [x], { domain: "com.microsoft" })[0]!],
    [
      "LayerNormalization",
      (g, x) => g.layerNormalization(x, g.input("scale", "float32", [4]), g.input("bias", "float32", [4]), 1e-5),
    ],
  ]
  for (const [op, apply] of cases) {
    it(`are made again: ${op}`, () => assert.deepEqual(readersOf(between(apply), op), ["MatMul"]))
  }

  it("are made again where they were only split in between", () => {
    const graph = between((g, x) => g.split(g.gelu(x), [1, 3], 0)[1]!)
    assert.deepEqual(readersOf(graph, "Gelu"), ["Split"])
    assert.deepEqual(readersOf(graph, "Split"), ["MatMul"])
  })

  it("are kept where they are outputs of the graph", () => {
    const g = new GraphBuilder()
    const inner = g.gelu(g.matmul(square(g, "x"), square(g, "a")))
    const graph = g.build({ loss: total(g, g.exp(g.matmul(inner, square(g, "b")))), inner })
    const readers = readersOf(differentiate(graph, { loss: "loss", wrt: ["a", "b"] }), "Gelu")
    assert.equal(readers.length, 2)
  })

  it("are what a mask leaves, but not what is chosen between two values", () => {
    const chosen = between((g, x) => g.where(g.input("mask", "bool", [4, 4]), x, g.scalar(1)))
    assert.equal(readersOf(chosen, "Where").length, 2)
  })

  it("are products of two factors that are kept for each other, but not of one", () => {
    const both = between((g, x) => g.mul(g.exp(x), g.tanh(x)))
    assert.deepEqual(readersOf(both, "Mul"), ["MatMul"])
    const one = between((g, x) => g.mul(g.exp(x), g.scalar(3)))
    assert.equal(readersOf(one, "Mul").length, 2)
  })
})
