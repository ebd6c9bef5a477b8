import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import { builtinRules } from "../../src/RuleTable.ts"
import { checkVjp } from "../../src/testing.ts"
import { caseOf, cases } from "../cases/index.ts"
import { cpu } from "../support/Run.ts"

const { run, close } = cpu()
after(close)

describe("every gradient rule agrees with finite differences", () => {
  for (const [key, list] of Object.entries(cases)) {
    it(key, async (t) => {
      let worst = 0
      for (const each of list) worst = Math.max(worst, await checkVjp(run, caseOf(key, each)))
      t.diagnostic(`${list.length} cases, largest relative error ${worst.toExponential(1)}`)
    })
  }
})

describe("the table of cases", () => {
  it("covers every input of every rule that has a gradient", () => {
    const uncovered: string[] = []
    for (const [key, rules] of Object.entries(builtinRules)) {
      for (const rule of rules) {
        for (const [index, [name, entry]] of Object.entries(rule.inputs).entries()) {
          if (typeof entry !== "function") continue
          const checked = cases[key]?.some((each) => each.wrt.includes(index)) === true
          const further = rule.variadic !== true || cases[key]?.some((each) => each.wrt.some((at) => at > index))
          if (!checked || further !== true) uncovered.push(`${key}.${name}`)
        }
      }
    }
    assert.deepEqual(uncovered, [])
  })

  it("holds no case without a rule", () => {
    assert.deepEqual(
      Object.keys(cases).filter((key) => !Object.hasOwn(builtinRules, key)),
      [],
    )
  })
})
