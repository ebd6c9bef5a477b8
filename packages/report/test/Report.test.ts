import assert from "node:assert/strict"
import { test } from "node:test"
import { curves } from "../src/Curves.ts"
import { embedJson, embedScript } from "../src/Html.ts"
import { readUplot } from "../src/node/UplotFiles.ts"
import { renderReport } from "../src/RenderReport.ts"
import { barestReport, finishedReport, hostile, interruptedReport } from "./support/SampleReport.ts"

const assets = { uplotScript: "var uPlot = {}", uplotStyle: ".uplot {}" }

test("whatever the data hold stays text", () => {
  const page = renderReport({ ...finishedReport, report: { ...finishedReport.report, device: hostile } }, assets)
  assert.ok(!page.includes(hostile))
  assert.ok(!page.includes("<img"))
  assert.equal(page.match(/<script/g)?.length, 3)
  assert.equal(page.match(/<\/script>/g)?.length, 3)
})

test("JSON and scripts cannot end the element that they stand in", () => {
  const value = { text: "</script><!-- \u2028 &" }
  const json = embedJson(value)
  assert.ok(!/[<>&\u2028]/.test(json))
  assert.deepEqual(JSON.parse(json), value)
  assert.ok(!embedScript('const text = "</SCRIPT>"').toLowerCase().includes("</script"))
})

test("the page needs nothing from elsewhere", async () => {
  const page = renderReport(finishedReport, await readUplot())
  assert.doesNotMatch(page, /(src|href)=["']?https?:/)
  assert.doesNotMatch(page, /@import|url\(/)
  assert.match(page, /default-src 'none'/)
})

test("figures, differences and their intervals are there", () => {
  const page = renderReport(finishedReport, assets)
  assert.match(page, /recall@1 from 0\.012 to 0\.832/)
  assert.match(page, /\+0\.830<\/b> <span class="interval">\[\+0\.806, \+0\.853\]/)
  for (const name of ["recall@20", "mrr@10", "ndcg@10", "answerRecall@5"]) assert.ok(page.includes(name))
  assert.match(page, /<mark>17 December 1903<\/mark>/)
})

test("a run that has not ended shows its last evaluation and says where it stands", () => {
  const page = renderReport(interruptedReport, assets)
  assert.match(page, /interrupted at step 340 of 742/)
  assert.match(page, /step 300/)
  assert.doesNotMatch(page, /after − before/)
  assert.match(renderReport(barestReport, assets), /Training has not begun/)
})

test("curves of long runs are thinned and keep the last step; values that are no numbers become gaps", () => {
  const steps = Array.from({ length: 50_000 }, (_, index) => ({
    step: index + 1,
    epoch: 1,
    loss: index === 0 ? Number.NaN : 1,
    lr: 1,
    gradNorm: Number.POSITIVE_INFINITY,
  }))
  const [loss, , gradient] = curves(steps, [], undefined)
  assert.ok(loss !== undefined && loss.steps.length <= 3001)
  assert.equal(loss.steps.at(-1), 50_000)
  assert.equal(loss.lines[0]?.values[0], null)
  assert.equal(gradient?.lines[0]?.values[5], null)
})
