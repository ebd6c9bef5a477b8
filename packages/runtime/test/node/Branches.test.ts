import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { bool, float32, type Graph, GraphBuilder, int64, type Node, type Tensor, type Value } from "@tandem/onnx"
import { Effect } from "effect"
import { layer } from "../../src/node/NodeRuntime.ts"
import { Runtime } from "../../src/Runtime.ts"
import { specialize } from "../../src/Specialize.ts"

const inRuntime = <A, E>(body: Effect.Effect<A, E, Runtime>): Promise<A> =>
  Effect.runPromise(body.pipe(Effect.provide(layer({ threads: 1 }))))

const run = (graph: Graph, inputs: Readonly<Record<string, Tensor>>) =>
  inRuntime(
    Effect.scoped(
      Effect.gen(function* () {
        return yield* (yield* (yield* Runtime).compile(graph)).run(inputs)
      }),
    ),
  )

const node = (op: string, inputs: string[], outputs: string[]): Node => ({
  op,
  domain: "",
  name: `${op} ${outputs}`,
  inputs,
  outputs,
  attributes: {},
})

/** A branch that computes `y` from outer values. */
const branch = (nodes: readonly Node[], y: Value["name"]): Graph => ({
  name: y,
  inputs: [],
  outputs: [{ name: y, type: "float32", dims: undefined }],
  nodes,
  initializers: new Map(),
  values: new Map(),
  opsets: new Map([["", 20]]),
})

const choose = (condition: string, y: string, whenTrue: Graph, whenFalse: Graph): Node => ({
  ...node("If", [condition], [y]),
  attributes: {
    then_branch: { kind: "graph", value: whenTrue },
    else_branch: { kind: "graph", value: whenFalse },
  },
})

const append = (graph: Graph, nodes: readonly Node[]): Graph => ({
  ...graph,
  outputs: [{ name: "y", type: undefined, dims: undefined }],
  nodes: [...graph.nodes, ...nodes],
})

/** As exporters write `x.squeeze(1)` of an axis that may have one element: twice, the second on what the first gives. */
const guarded = (): Graph => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", ["a", "b", 2])
  const isOne = (axis: number) => {
    const size = g.gather(g.op("Shape", [x])[0]!, g.constant(int64([], [axis])))
    return g.equal(size, g.constant(int64([], [1])))
  }
  const graph = g.build({
    first: isOne(1),
    one: g.constant(int64([1], [1])),
    x2: g.identity(x),
    scalar: g.constant(int64([], [1])),
    zero: g.constant(int64([], [0])),
  })
  return append(graph, [
    choose(
      "first",
      "s",
      branch([node("Squeeze", ["x2", "one"], ["sq"])], "sq"),
      branch([node("Neg", ["x2"], ["n"])], "n"),
    ),
    node("Shape", ["s"], ["shape"]),
    node("Gather", ["shape", "zero"], ["rows"]),
    node("Equal", ["rows", "scalar"], ["second"]),
    choose("second", "y", branch([node("Exp", ["s"], ["e"])], "e"), branch([node("Abs", ["s"], ["e"])], "e")),
  ])
}

describe("specialize, branches", () => {
  for (const [dims, ops] of [
    [
      [3, 1, 2],
      ["Squeeze", "Abs"],
    ],
    [
      [1, 1, 2],
      ["Squeeze", "Exp"],
    ],
    [
      [3, 4, 2],
      ["Neg", "Abs"],
    ],
  ] as const) {
    it(`that the shape [${dims}] chooses, one upon the other`, async () => {
      const graph = await inRuntime(specialize(guarded(), { x: dims }))
      assert.deepEqual(
        graph.nodes.map(({ op }) => op).filter((op) => op !== "Identity"),
        ops,
      )
      const x = float32(
        dims,
        Array.from({ length: dims[0] * dims[1] * dims[2] }, (_, index) => index / 4 - 1),
      )
      // Abs makes the sign that Neg changes the same again
      const expected = x.data.map((value) => (ops[1] === "Exp" ? Math.exp(value) : Math.abs(value)))
      const found = (await run(graph, { x }))["y"]?.data ?? []
      for (const [index, value] of expected.entries()) assert.ok(Math.abs(value - Number(found[index])) < 1e-5)
    })
  }

  it("that the data choose are both computed, where their results agree in shape", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", ["a", 2])
    const cached = g.input("cached", "bool", [1])
    const graph = append(g.build({ x2: g.neg(x), cached2: g.op("Not", [cached])[0]! }), [
      choose("cached2", "y", branch([node("Exp", ["x2"], ["e"])], "e"), branch([node("Abs", ["x2"], ["a"])], "a")),
    ])
    const plain = await inRuntime(specialize(graph, { x: [1, 2], cached: [1] }))
    const inputs = (value: boolean) => ({ x: float32([1, 2], [1, -2]), cached: bool([1], [value]) })
    for (const value of [true, false]) {
      assert.deepEqual((await run(plain, inputs(value)))["y"], (await run(graph, inputs(value)))["y"])
    }
    const unequal = append(graph, [])
    const refused = {
      ...unequal,
      nodes: unequal.nodes.map((each) =>
        each.op === "If"
          ? choose(
              "cached2",
              "y",
              branch([node("Exp", ["x2"], ["e"])], "e"),
              branch(
                [node("Concat", ["x2", "x2"], ["a"])].map((c) => ({
                  ...c,
                  attributes: { axis: { kind: "int" as const, value: 0 } },
                })),
                "a",
              ),
            )
          : each,
      ),
    }
    await assert.rejects(inRuntime(specialize(refused, { x: [1, 2], cached: [1] })), {
      _tag: "DataDependentBranch",
      node: "If y",
      message: /float32\[1,2\] and float32\[2,2\]/,
    })
  })
})
