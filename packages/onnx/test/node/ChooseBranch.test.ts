import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Attributes,
  bool,
  DataDependentBranch,
  float32,
  type Graph,
  type Node,
  type Tensor,
  type Value,
} from "../../src/index.ts"
import { chooseBranches, mergeBranches } from "../../src/passes/ChooseBranch.ts"
import { assertEqualResults } from "./run.ts"

const node = (op: string, inputs: string[], outputs: string[], attributes: Attributes = {}): Node => ({
  op,
  domain: "",
  name: `${op} ${outputs}`,
  inputs,
  outputs,
  attributes,
})

const value = (name: string, dims: Value["dims"] = [2, 3], type: Value["type"] = "float32"): Value => ({
  name,
  type,
  dims,
})

const graphOf = (nodes: readonly Node[], outputs: readonly Value[], more: Partial<Graph> = {}): Graph => ({
  name: "graph",
  inputs: [],
  outputs,
  nodes,
  initializers: new Map(),
  values: new Map(),
  opsets: new Map([["", 20]]),
  ...more,
})

const choice = (condition: string, outputs: string[], whenTrue: Graph, whenFalse: Graph): Node =>
  node("If", [condition], outputs, {
    then_branch: { kind: "graph", value: whenTrue },
    else_branch: { kind: "graph", value: whenFalse },
  })

const x = float32([2, 3], [1, -2, 3, -4, 5, -6])
const weights = new Map<string, Tensor>([["w", float32([3], [2, 3, 4])]])

/** Two choices whose branches use the same names, capture outer values, nest, and give a captured value as it is. */
const model = (): Graph => {
  const inner = choice(
    "d",
    ["p"],
    graphOf([node("Exp", ["t"], ["e"])], [value("e")]),
    graphOf([node("Abs", ["t"], ["e"])], [value("e")]),
  )
  const first = choice(
    "c",
    ["a", "b"],
    graphOf([node("Mul", ["x", "w"], ["t"]), inner, node("Identity", ["x"], ["same"])], [value("p"), value("same")], {
      initializers: weights,
    }),
    graphOf([node("Neg", ["x"], ["t"]), node("Sign", ["t"], ["u"])], [value("u"), value("t")]),
  )
  const second = choice(
    "d",
    ["y"],
    graphOf([node("Add", ["a", "b"], ["t"])], [value("t")]),
    graphOf([node("Sub", ["a", "b"], ["t"])], [value("t")]),
  )
  return graphOf([first, second], [value("y"), value("b")], {
    inputs: [value("x"), value("c", [], "bool"), value("d", [1], "bool")],
  })
}

for (const c of [true, false]) {
  for (const d of [true, false]) {
    const conditions = { c: bool([], [c]), d: bool([1], [d]) }
    test(`conditions ${c} and ${d}: the branch stands in the graph, results are equal`, async () => {
      const chosen = chooseBranches(model(), new Map(Object.entries(conditions)))
      assert.ok(chosen.nodes.every((each) => each.op !== "If"))
      await assertEqualResults(model(), chosen, { x, ...conditions }, 0)
    })
    test(`conditions ${c} and ${d}: one chosen, the other computed both ways, results are equal`, async () => {
      const chosen = chooseBranches(model(), new Map([["d", conditions.d]]))
      const merged = mergeBranches(chosen)
      assert.deepEqual(
        merged.nodes.filter((each) => each.op === "If" || each.op === "Where").map((each) => each.op),
        ["Where", "Where"],
      )
      await assertEqualResults(model(), merged, { x, ...conditions }, 0)
    })
  }
}

test("a condition among the initializers is known", () => {
  const graph = { ...model(), initializers: new Map([...weights, ["c", bool([], [true])], ["d", bool([1], [false])]]) }
  assert.deepEqual(
    chooseBranches({ ...graph, inputs: [value("x")] }).nodes.map((each) => each.op),
    ["Mul", "Abs", "Identity", "Sub"],
  )
})

test("what depends on the data is refused by name", () => {
  const refused = (graph: Graph, message: RegExp) =>
    assert.throws(
      () => mergeBranches(graph),
      (error: unknown) =>
        error instanceof DataDependentBranch && message.test(error.message) && error.node !== undefined,
    )
  const inputs = [value("x"), value("c", [], "bool")]
  const sizes = choice(
    "c",
    ["y"],
    graphOf([node("Exp", ["x"], ["e"])], [value("e")]),
    graphOf([node("ReduceSum", ["x"], ["s"])], [value("s")]),
  )
  refused(graphOf([sizes], [value("y")], { inputs }), /its branches give float32\[2,3\] and float32\[1,1\]/)
  const random = choice(
    "c",
    ["y"],
    graphOf([node("RandomNormalLike", ["x"], ["e"])], [value("e")]),
    graphOf([node("Abs", ["x"], ["s"])], [value("s")]),
  )
  refused(graphOf([random], [value("y")], { inputs }), /RandomNormalLike/)
  const loop = node("Loop", ["", "c", "x"], ["y"], {
    body: { kind: "graph", value: graphOf([node("Abs", ["x"], ["s"])], [value("c", [], "bool"), value("s")]) },
  })
  refused(graphOf([loop], [value("y")], { inputs }), /Loop y \(Loop\) .* runs a graph inside/)
})
