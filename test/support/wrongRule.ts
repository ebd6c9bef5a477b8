// Plants a wrong gradient rule in the process that loads it: that of the operator in $WRONG_RULE, a hundredth too large.
import { env } from "node:process"
import { builtinRules, type Rule } from "@tandem/autodiff"
import type { Value } from "@tandem/onnx"

const op = env["WRONG_RULE"] ?? ""
const rules = builtinRules[op]
if (rules === undefined) throw new TypeError(`no rule for ${op}`)

const wrong = (rule: Rule): Rule => ({
  ...rule,
  inputs: Object.fromEntries(
    Object.entries(rule.inputs).map(([name, right]) => [
      name,
      typeof right !== "function"
        ? right
        : (context, index) => {
            const value = right(context, index)
            const spoiled = (gradient: Value): Value => context.g.mul(gradient, context.g.scalar(1.01))
            return typeof value === "function" ? (sum) => spoiled(value(sum)) : spoiled(value)
          },
    ]),
  ),
})

Object.assign(builtinRules, { [op]: rules.map(wrong) })
