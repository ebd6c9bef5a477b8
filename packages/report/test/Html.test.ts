import assert from "node:assert/strict"
import { test } from "node:test"
import { embedScript, prose } from "../src/Html.ts"

test("scripts cannot end the element that they stand in", () => {
  assert.ok(!embedScript('const text = "</SCRIPT>"').toLowerCase().includes("</script"))
})

test("backquotes set code, and markup stays text inside and outside", () => {
  assert.equal(prose("`a<b` <i>"), "<code>a&#60;b</code> &#60;i&#62;")
  assert.equal(prose("one ` alone"), "one ` alone")
})
