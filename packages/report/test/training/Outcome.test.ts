import assert from "node:assert/strict"
import { test } from "node:test"
import { outcomeSentence } from "@tandem/report"

test("the title tells the first wanted figure that has changed", () => {
  const before = { exactMatch: 0, nll: 7.8 }
  const wanted = ["exactMatch", "nll"]
  assert.equal(
    outcomeSentence({ before, after: { exactMatch: 0.5, nll: 5 } }, wanted),
    "exactMatch from 0.000 to 0.500",
  )
  assert.equal(outcomeSentence({ before, after: { exactMatch: 0, nll: 5 } }, wanted), "nll from 7.800 to 5.000")
  assert.equal(outcomeSentence({ before, after: before }, wanted), "exactMatch from 0.000 to 0.000")
  assert.equal(outcomeSentence({ after: { exactMatch: 0.25 } }, wanted), "exactMatch 0.250")
  assert.equal(outcomeSentence({ before }, wanted), undefined)
})
