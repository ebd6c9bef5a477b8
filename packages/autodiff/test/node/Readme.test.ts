import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { it } from "node:test"
import { builtinRules } from "../../src/RuleTable.ts"

it("the README's table names every operator that has a gradient, and no other", () => {
  const text = readFileSync(new URL("../../README.md", import.meta.url), "utf8")
  const rows = text.split("\n").filter((line) => /^\| (?!kind|-)/.test(line))
  const named = rows.flatMap((line) => line.split("|")[2]!.trim().split(" "))
  const operators = Object.entries(builtinRules).flatMap(([key, rules]) =>
    rules.some((rule) => Object.values(rule.inputs).some((entry) => typeof entry === "function"))
      ? [key.replace("com.microsoft.", "")]
      : [],
  )
  assert.deepEqual(named.sort(), [...new Set(operators)].sort())
})
