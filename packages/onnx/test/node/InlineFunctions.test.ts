import assert from "node:assert/strict"
import { test } from "node:test"
import { create, toBinary } from "@bufbuild/protobuf"
import { ModelProtoSchema } from "../../src/gen/onnx_pb.js"
import { float32, prepare, readModel } from "../../src/index.ts"
import { distance, run } from "./run.ts"

const value = (name: string, dims: readonly string[]) => ({
  name,
  type: {
    value: {
      case: "tensorType" as const,
      value: {
        elemType: 1,
        shape: { dim: dims.map((dim) => ({ value: { case: "dimParam" as const, value: dim } })) },
      },
    },
  },
})

const node = (opType: string, input: string[], output: string[], attribute: object[] = [], domain = "") => ({
  opType,
  domain,
  name: `${opType} ${output}`,
  input,
  output,
  attribute,
})

/** A model whose functions nest, take attributes by reference, leave out an operand and hold a choice with captures. */
const model = toBinary(
  ModelProtoSchema,
  create(ModelProtoSchema, {
    irVersion: 10n,
    opsetImport: [
      { domain: "", version: 20n },
      { domain: "own", version: 1n },
      { domain: "own.inner", version: 1n },
    ],
    functions: [
      {
        name: "Scaled",
        domain: "own.inner",
        input: ["x", "low"],
        output: ["y"],
        attribute: ["alpha"],
        opsetImport: [{ domain: "", version: 20n }],
        node: [
          node("Constant", [], ["factor"], [{ name: "value_float", type: 1, refAttrName: "alpha" }]),
          node("Clip", ["x", "low"], ["clipped"]),
          node("Mul", ["clipped", "factor"], ["y"]),
        ],
      },
      {
        name: "Block",
        domain: "own",
        input: ["x"],
        output: ["y", "norm"],
        attributeProto: [{ name: "beta", type: 1, f: 0.5 }],
        opsetImport: [
          { domain: "", version: 20n },
          { domain: "own.inner", version: 1n },
        ],
        node: [
          node("Scaled", ["x"], ["t"], [{ name: "alpha", type: 1, refAttrName: "beta" }], "own.inner"),
          node("ReduceMax", ["t"], ["norm"], [{ name: "keepdims", type: 2, i: 0n }]),
          node("Constant", [], ["one"], [{ name: "value_float", type: 1, f: 1 }]),
          node("Greater", ["norm", "one"], ["large"]),
          node(
            "If",
            ["large"],
            ["y"],
            [
              {
                name: "then_branch",
                type: 5,
                g: { name: "a", output: [{ name: "r" }], node: [node("Div", ["t", "norm"], ["r"])] },
              },
              {
                name: "else_branch",
                type: 5,
                g: { name: "b", output: [{ name: "s" }], node: [node("Neg", ["t"], ["s"])] },
              },
            ],
          ),
        ],
      },
    ],
    graph: {
      name: "main",
      input: [value("x", ["a", "b"])],
      output: [value("z", ["a", "b"]), value("n", [])],
      node: [
        node("Block", ["x"], ["y", "n"], [{ name: "beta", type: 1, f: 2 }], "own"),
        node("Block", ["y"], ["z", "unread"], [], "own"),
      ],
    },
  }),
)

for (const scale of [0.25, 3]) {
  test(`functions of a model, inlined, compute what ONNX Runtime computes (inputs × ${scale})`, async () => {
    const x = float32(
      [2, 3],
      [0.5, -1, 0.25, 0.75, -0.5, 1].map((number) => number * scale),
    )
    const graph = readModel(model)
    assert.deepEqual([...graph.opsets], [["", 20]])
    const expected = await run(model, { x })
    for (const inlined of [graph, prepare(graph)]) {
      const found = await run(inlined, { x })
      for (const name of ["z", "n"]) assert.equal(distance(expected[name], found[name]), 0, name)
    }
  })
}
