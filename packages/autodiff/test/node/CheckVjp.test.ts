import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import type { Value } from "@tandem/onnx"
import { NotDifferentiable } from "../../src/Errors.ts"
import type { Gradient, RuleTable } from "../../src/Rule.ts"
import { builtinRules } from "../../src/RuleTable.ts"
import { checkVjp, VjpMismatch } from "../../src/testing.ts"
import { caseOf, cases } from "../cases/index.ts"
import { cpu } from "../support/Run.ts"

const { run, close } = cpu()
after(close)

/** The built-in rules with one gradient replaced by what `change` makes of it. */
const faulty = (op: string, input: string, change: (right: Gradient) => Gradient): RuleTable => ({
  ...builtinRules,
  [op]: builtinRules[op]!.map((rule) => {
    const right = rule.inputs[input]
    if (typeof right !== "function") throw new TypeError(`${op}.${input} has no gradient`)
    return { ...rule, inputs: { ...rule.inputs, [input]: change(right) } }
  }),
})

/** A gradient alone, whatever has reached the value before. */
const alone = (right: Gradient, ...[context, index]: Parameters<Gradient>): Value => {
  const contribution = right(context, index)
  return typeof contribution === "function" ? contribution(undefined) : contribution
}

const scaled =
  (factor: number) =>
  (right: Gradient): Gradient =>
  (context, index) => {
    const value = alone(right, context, index)
    return context.g.mul(value, context.g.cast(context.g.scalar(factor), value.type ?? "float32"))
  }

const faults: Readonly<Record<string, RuleTable>> = {
  "wrong sign: Sub by B": faulty("Sub", "B", scaled(-1)),
  "wrong sign: Div by B": faulty("Div", "B", scaled(-1)),
  "missing factor: ReduceMean": faulty("ReduceMean", "data", scaled(12)),
  "missing factor: Gemm by A": faulty("Gemm", "A", scaled(2)),
  "a factor slightly off: Erf": faulty("Erf", "input", scaled(1.05)),
  "zero: MatMul by A": faulty("MatMul", "A", scaled(0)),
  "zero: Gather": faulty("Gather", "data", scaled(0)),
  "severed: Where by X, where the condition holds": faulty(
    "Where",
    "X",
    () =>
      ({ g, in: { condition, X }, dY }) =>
        g.where(condition!, g.scalar(0), g.add(dY, g.mul(X!, g.scalar(0)))),
  ),
  "severed: Softmax without its sum": faulty(
    "Softmax",
    "input",
    () =>
      ({ g, out, dY }) =>
        g.mul(out[0]!, dY),
  ),
  "severed: LayerNormalization as if its statistics were constants": faulty(
    "LayerNormalization",
    "X",
    () =>
      ({ g, in: { Scale }, out, dY }) =>
        g.mul(g.mul(dY, Scale!), out[2]!),
  ),
  "the other operand: Mul by A": faulty(
    "Mul",
    "A",
    () =>
      ({ g, in: { A, B }, dY }) =>
        g.mul(dY, g.add(A!, g.mul(B!, g.scalar(0)))),
  ),
  "inverted mask: Dropout": faulty(
    "Dropout",
    "data",
    () =>
      ({ g, in: { data }, out, dY }) =>
        out[1] === undefined ? dY : g.mul(dY, g.where(out[1], g.scalar(0), g.cast(g.equal(data!, data!), "float32"))),
  ),
}

describe("a wrong factor is caught, in the gradient of every operator towards every input", () => {
  for (const [key, rules] of Object.entries(builtinRules)) {
    const gradients = rules.flatMap((rule) => Object.entries(rule.inputs)).entries()
    for (const [index, [input, entry]] of gradients) {
      if (typeof entry !== "function") continue
      it(`${key}.${input}`, async () => {
        const each = cases[key]!.find(({ wrt }) => wrt.includes(index))!
        const wrong = { rules: faulty(key, input, scaled(1.1)) }
        await assert.rejects(checkVjp(run, { ...caseOf(key, each), wrt: [index] }, wrong), VjpMismatch)
      })
    }
  }
})

describe("checkVjp catches planted faults", () => {
  for (const [name, rules] of Object.entries(faults)) {
    it(name, async () => {
      const key = name.split(": ")[1]!.split(/[ ,]/)[0]!
      const attempts = await Promise.allSettled(cases[key]!.map((each) => checkVjp(run, caseOf(key, each), { rules })))
      const errors = attempts.flatMap((attempt) => (attempt.status === "rejected" ? [attempt.reason] : []))
      assert.ok(errors.length >= attempts.length / 2, `${errors.length} of ${attempts.length} cases saw it`)
      for (const error of errors) assert.ok(error instanceof VjpMismatch, String(error))
    })
  }

  it("names the operator, the case and the input", async () => {
    const each = caseOf("Sub", cases["Sub"]![0]!)
    await assert.rejects(checkVjp(run, each, { rules: faulty("Sub", "B", scaled(-1)) }), (error) => {
      assert.ok(error instanceof VjpMismatch)
      assert.deepEqual([error.op, error.input], ["Sub", "operand.1"])
      assert.match(error.message, /Sub \(same shape\)/)
      return true
    })
  })

  it("and the walker refuses a gradient of another shape or type", async () => {
    const each = caseOf("Tanh", cases["Tanh"]![0]!)
    const flat = faulty(
      "Tanh",
      "input",
      (right) => (context, index) => context.g.reshape(alone(right, context, index), [6]),
    )
    await assert.rejects(checkVjp(run, each, { rules: flat }), NotDifferentiable)
    const wide = faulty(
      "Tanh",
      "input",
      (right) => (context, index) => context.g.cast(alone(right, context, index), "float64"),
    )
    await assert.rejects(checkVjp(run, each, { rules: wide }), NotDifferentiable)
  })
})
