import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, GraphBuilder } from "@tandem/onnx"
import { gradientName } from "../src/Differentiate.ts"
import { NotDifferentiable } from "../src/Errors.ts"
import { differentiateWithGaps, findGaps } from "../src/Gaps.ts"
import { type RuleTable, stop, todo } from "../src/Rule.ts"
import { builtinRules } from "../src/RuleTable.ts"

/** loss = Σ sin(x·a) + Σ tanh(a·b) with a, b of two elements. */
const graph = () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [2])
  const a = g.initializer("a", float32([2], [1, 2]))
  const b = g.initializer("b", float32([2], [3, 4]))
  const left = g.reduceSum(g.sin(g.mul(x, a)), [], false)
  const right = g.reduceSum(g.tanh(g.mul(a, b)), [], false)
  return g.build({ loss: g.add(left, right) })
}

const options = { loss: "loss", wrt: ["a", "b"] }

test("a whole table leaves no gap, and the graph is the one that differentiate gives", () => {
  assert.deepEqual(findGaps(graph(), ["loss"], ["a", "b"]), [])
  const { graph: joint, gaps } = differentiateWithGaps(graph(), options)
  assert.deepEqual(gaps, [])
  assert.deepEqual(
    joint?.outputs.map(({ name }) => name),
    ["loss", gradientName("a"), gradientName("b")],
  )
})

test("every operator without a rule is listed with its node, operand and reason", () => {
  const { Sin: _sin, Tanh: _tanh, ...rest } = builtinRules
  const rules: RuleTable = { ...rest, Tanh: [{ since: 1, inputs: { X: todo("nobody wrote it") } }] }
  const model = graph()
  for (const gaps of [
    findGaps(model, ["loss"], ["a", "b"], rules),
    differentiateWithGaps(model, { ...options, rules }).gaps,
  ]) {
    assert.deepEqual(
      gaps.map(({ op, input, reason }) => ({ op, input, reason })).toSorted((p, q) => (p.op < q.op ? -1 : 1)),
      [
        { op: "Sin", input: 0, reason: "no gradient rule for Sin (opset 20)" },
        { op: "Tanh", input: 0, reason: "nobody wrote it" },
      ],
    )
    assert.ok(gaps.every((gap) => model.nodes.some(({ name }) => name === gap.node)))
  }
  // Only what lies on a path counts.
  assert.deepEqual(
    findGaps(model, ["loss"], ["b"], rules).map(({ op }) => op),
    ["Tanh"],
  )
})

test("a value all of whose ways end in stops is a gap; one with another way is none", () => {
  const rules: RuleTable = { ...builtinRules, Tanh: [{ since: 1, inputs: { X: stop("a setting") } }] }
  for (const gaps of [
    findGaps(graph(), ["loss"], ["a", "b"], rules),
    differentiateWithGaps(graph(), { ...options, rules }).gaps,
  ]) {
    assert.equal(gaps.length, 1)
    assert.deepEqual([gaps[0]?.op, gaps[0]?.value], ["Tanh", "b"])
    assert.match(gaps[0]?.reason ?? "", /a setting/)
  }
})

test("what a rule refuses is a gap, and the other gradients are still built", () => {
  const rules: RuleTable = {
    ...builtinRules,
    Sin: [
      {
        since: 1,
        inputs: {
          X: () => {
            throw new NotDifferentiable({ message: "not of Mondays" })
          },
        },
      },
    ],
  }
  const { gaps, graph: joint } = differentiateWithGaps(graph(), { ...options, rules })
  assert.deepEqual(
    gaps.map(({ op, reason }) => [op, reason]),
    [["Sin", "not of Mondays"]],
  )
  assert.ok(joint?.nodes.some(({ op }) => op === "Tanh"))
})
