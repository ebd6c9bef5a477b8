import assert from "node:assert/strict"
import { test } from "node:test"
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf"
import { ModelProtoSchema } from "../src/gen/onnx_pb.js"
import { float32, type Graph, InvalidModel, intAttribute, readModel, writeBack } from "../src/index.ts"

type Init = MessageInitShape<typeof ModelProtoSchema>

const modelBytes = (init: Init): Uint8Array =>
  toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 10n,
      opsetImport: [
        { domain: "", version: 20n },
        { domain: "own", version: 1n },
      ],
      ...init,
    }),
  )

const read = (init: Init): Graph => readModel(modelBytes(init), { file: "model.onnx" })

const shapeOf = (graph: Graph) => graph.nodes.map((node) => `${node.op}(${node.inputs}) → ${node.outputs}`)

const call = (opType: string, input: string[], output: string[], more: object = {}) => ({
  opType,
  domain: "own",
  name: `call ${output}`,
  input,
  output,
  ...more,
})

test("a call becomes the function's nodes: names of the caller, attributes of the caller or by default", () => {
  const graph = read({
    graph: {
      input: [{ name: "x" }],
      output: [{ name: "y" }, { name: "z" }],
      initializer: [{ name: "w", dataType: 1, dims: [1n], floatData: [2] }],
      node: [call("F", ["x", "w"], ["y"], { attribute: [{ name: "axis", type: 2, i: 3n }] }), call("F", ["y"], ["z"])],
    },
    functions: [
      {
        name: "F",
        domain: "own",
        input: ["a", "b"],
        output: ["r"],
        attributeProto: [{ name: "axis", type: 2, i: -1n }],
        attribute: ["epsilon"],
        opsetImport: [
          { domain: "", version: 20n },
          { domain: "com.microsoft", version: 1n },
        ],
        node: [
          {
            opType: "LayerNormalization",
            input: ["a", "b"],
            output: ["inner"],
            attribute: [
              { name: "axis", type: 2, refAttrName: "axis" },
              { name: "epsilon", type: 1, refAttrName: "epsilon" },
            ],
          },
          { opType: "Neg", input: ["inner"], output: ["r"] },
        ],
      },
    ],
  })
  assert.deepEqual(shapeOf(graph), [
    "LayerNormalization(x,w) → call y/0/inner",
    "Neg(call y/0/inner) → y",
    "LayerNormalization(y,) → call z/1/inner",
    "Neg(call z/1/inner) → z",
  ])
  assert.deepEqual(
    graph.nodes
      .filter(({ op }) => op !== "Neg")
      .map((node) => [intAttribute(node, "axis", 0), node.attributes["epsilon"]]),
    [
      [3, undefined],
      [-1, undefined],
    ],
  )
  assert.deepEqual(
    [...graph.opsets],
    [
      ["", 20],
      ["com.microsoft", 1],
    ],
  )
})

test("functions in functions, in branches, with branches; outputs that are inputs", () => {
  const branch = (name: string, node: object) => ({
    name,
    type: 5 as const,
    g: { name, node: [node], output: [{ name: `${name}_r` }] },
  })
  const graph = read({
    graph: {
      input: [{ name: "x" }, { name: "c" }],
      output: [{ name: "y" }, { name: "copy" }],
      node: [call("Outer", ["x", "c"], ["y", "copy"], { attribute: [{ name: "alpha", type: 1, f: 0.5 }] })],
    },
    functions: [
      {
        name: "Outer",
        domain: "own",
        input: ["a", "c"],
        output: ["r", "a"],
        attribute: ["alpha"],
        node: [
          {
            opType: "If",
            name: "if",
            input: ["c"],
            output: ["r"],
            attribute: [
              branch("then_branch", call("Inner", ["a"], ["then_branch_r"])),
              branch("else_branch", {
                opType: "LeakyRelu",
                input: ["a"],
                output: ["else_branch_r"],
                attribute: [{ name: "alpha", type: 1, refAttrName: "alpha" }],
              }),
            ],
          },
        ],
      },
      {
        name: "Inner",
        domain: "own",
        input: ["i"],
        output: ["o"],
        node: [{ opType: "Exp", input: ["i"], output: ["o"] }],
      },
    ],
  })
  const prefix = "call y,copy/0/"
  assert.deepEqual(shapeOf(graph), ["If(c) → y", "Identity(x) → copy"])
  const [thenGraph, elseGraph] = ["then_branch", "else_branch"].map((name) => {
    const attribute = graph.nodes[0]?.attributes[name]
    return attribute?.kind === "graph" ? attribute.value : undefined
  })
  assert.deepEqual(shapeOf(thenGraph!), [`Exp(x) → ${prefix}then_branch_r`])
  assert.deepEqual(
    elseGraph?.outputs.map(({ name }) => name),
    [`${prefix}else_branch_r`],
  )
  assert.deepEqual(elseGraph?.nodes[0]?.attributes["alpha"], { kind: "float", value: 0.5 })
})

test("functions that call themselves or unfold without measure are refused", () => {
  const calls = (name: string, inner: string, times: number) => ({
    name,
    domain: "own",
    input: ["a"],
    output: ["r"],
    node: Array.from({ length: times }, (_, index) =>
      call(inner, [index === 0 ? "a" : `v${index}`], [index === times - 1 ? "r" : `v${index + 1}`]),
    ),
  })
  const graph = (name: string) => ({
    input: [{ name: "x" }],
    output: [{ name: "y" }],
    node: [call(name, ["x"], ["y"])],
  })
  const refused = (message: RegExp, init: Init) =>
    assert.throws(
      () => read(init),
      (error: unknown) => error instanceof InvalidModel && error.file === "model.onnx" && message.test(error.message),
    )
  refused(/F calls itself/, { graph: graph("F"), functions: [calls("F", "G", 1), calls("G", "F", 1)] })
  const doubling = Array.from({ length: 40 }, (_, index) => calls(`F${index}`, `F${index + 1}`, 2))
  refused(/unfold to more than/, { graph: graph("F0"), functions: doubling })
  refused(/gives function F more than it has/, {
    graph: { ...graph("F"), node: [call("F", ["x", "x"], ["y"])] },
    functions: [calls("F", "G", 1)],
  })
})

test("weights of a model with functions are written back, and nothing else changes", () => {
  const bytes = modelBytes({
    graph: {
      input: [{ name: "x" }],
      output: [{ name: "y" }],
      initializer: [{ name: "w", dataType: 1, dims: [1n], rawData: new Uint8Array(Float32Array.of(2).buffer) }],
      node: [call("F", ["w"], ["y"])],
    },
    functions: [
      { name: "F", domain: "own", input: ["a"], output: ["r"], node: [{ opType: "Neg", input: ["a"], output: ["r"] }] },
    ],
  })
  const after = writeBack(bytes, new Map([["w", float32([1], [2])]]))
  assert.deepEqual(after, bytes)
})
