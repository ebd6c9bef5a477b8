import assert from "node:assert/strict"
import { test } from "node:test"
import type { Kind, SectionOf } from "../src/Kind.ts"
import { type Contents, kinds, type Section } from "../src/Kinds.ts"
import { readUplot } from "../src/node/UplotFiles.ts"
import { renderReport, reportRenderer } from "../src/RenderReport.ts"
import type { Report } from "../src/Report.ts"
import { barestReport, finishedReport, hostile, interruptedReport, jointReport } from "./support/SampleReport.ts"

const assets = { uplotScript: "var uPlot = {}", uplotStyle: ".uplot {}" }

/** A page with these sections. */
const pageOf = (...sections: readonly Section[]): string =>
  renderReport({ command: "c", title: "t", summary: [], notices: [], sections }, assets)

test("whatever the data hold stays text", () => {
  for (const report of [finishedReport, jointReport]) {
    const page = renderReport(report, assets)
    assert.ok(!page.includes(hostile))
    assert.ok(!page.includes("<img"))
    assert.equal(page.match(/<script/g)?.length, 3)
    assert.equal(page.match(/<\/script>/g)?.length, 3)
  }
})

test("no place of any kind of section lets markup through", () => {
  const interval = { estimate: 1, low: 0, high: 2, confidence: 0.95, n: 2 }
  const passage = { id: hostile, text: hostile, title: hostile }
  const page = renderReport(
    {
      command: hostile,
      title: hostile,
      status: "completed",
      summary: [[hostile, hostile]],
      notices: [{ text: hostile, items: [hostile], level: "warning" }],
      sections: [
        {
          kind: "figures",
          title: hostile,
          intro: hostile,
          notes: [hostile],
          systems: [{ name: hostile, color: "teal", metrics: { [hostile]: 0.5 } }],
          differences: [{ label: hostile, values: { [hostile]: interval } }],
          facts: { [hostile]: { meaning: hostile } },
        },
        {
          kind: "curves",
          title: hostile,
          charts: [
            {
              title: hostile,
              x: [1],
              along: hostile,
              lines: [{ label: hostile, values: [1], color: "teal", style: "strong" }],
              scale: "free",
              marked: { at: 1, label: hostile },
              note: hostile,
            },
          ],
        },
        { kind: "table", title: hostile, head: [hostile, hostile], rows: [[hostile, hostile]] },
        {
          kind: "examples",
          title: hostile,
          examples: [
            {
              group: hostile,
              question: hostile,
              answers: [hostile],
              gold: [passage],
              columns: [{ system: hostile, color: "grey", passages: [{ ...passage, id: "other", score: 1 }] }],
            },
          ],
        },
        {
          kind: "facts",
          title: hostile,
          groups: [{ title: hostile, values: { [hostile]: [hostile, { a: hostile }] } }],
        },
        { kind: "text", title: hostile, paragraphs: [hostile, `\`${hostile}\``] },
      ],
    },
    assets,
  )
  assert.ok(!page.includes("<img"))
  assert.ok(!page.includes('document.title = "owned'))
  assert.equal(page.match(/<script/g)?.length, 3)
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

test("where less is better, less is shown as better, and its track goes beyond 1", () => {
  const page = renderReport(jointReport, assets)
  const [row = ""] = /<tr><th scope="row"[^>]*>nll<.*?<\/tr>/s.exec(page) ?? []
  assert.match(row, /<b class="better">−0\.170/)
  assert.match(row, /<b class="level">\+0\.010/)
  assert.match(row, /<span class="end">2\.624/)
  assert.match(page, /<code>nll<\/code>: nats a token/)
})

test("the usual figures come first, cutoffs rising; others follow, and a page may say what they mean", () => {
  const metrics = { n: 3, charm: 0.1, f1: 0.2, "recall@20": 0.4, "recall@5": 0.3 }
  const page = pageOf({
    kind: "figures",
    title: "Figures",
    systems: [{ name: "a", color: "teal", metrics }],
    facts: { charm: { meaning: "as people say" } },
  })
  const names = [...page.matchAll(/<th scope="row"[^>]*>([^<]*)/g)].map(([, name]) => name)
  assert.deepEqual(names, ["recall@5", "recall@20", "f1", "charm"])
  assert.match(page, /<code>charm<\/code>: as people say/)
})

test("a run that has not ended shows its last evaluation and says where it stands", () => {
  const page = renderReport(interruptedReport, assets)
  assert.match(page, /interrupted at step 340 of 742/)
  assert.match(page, /step 300/)
  assert.doesNotMatch(page, /after − before/)
})

test("a run without anything to show yet is a short page without empty sections", () => {
  const page = renderReport(barestReport, assets)
  assert.match(page, /Training has not begun/)
  assert.doesNotMatch(page, /<section/)
  assert.doesNotMatch(page, /<script/)
})

test("the passage that answers is shown with its text where no system found it", () => {
  const page = renderReport(finishedReport, assets)
  const [engine = ""] = page
    .split('<details class="example"')
    .filter((each) => each.includes("How strong was the engine?"))
  assert.match(engine, /What answers, and is not among the first/)
  assert.match(engine, /<span class="gold">gold<\/span> <span class="id">engine-4-power/)
  assert.match(engine, /<mark>twelve horsepower<\/mark>/)
  assert.match(engine, /after: place 8/)
  const [missing = ""] = page.split('<details class="example"').filter((each) => each.includes("nowhere"))
  assert.match(missing, /nowhere<\/span><\/p><p class="note">not in the corpus/)
})

test("of a long passage the part with the answer is shown", () => {
  const page = renderReport(finishedReport, assets)
  assert.match(page, /<p class="text">… [^<]*<mark>museum in Michigan<\/mark>/)
})

test("a page with a kind of its own passes it beside the others", () => {
  interface Verdict {
    readonly verdict: string
  }
  const verdict: Kind<Verdict> = { render: ({ verdict: text }) => `<b>${text}</b>`, style: ".own {}" }
  type Own = Contents & { readonly verdict: Verdict }
  const report: Report<SectionOf<Own>> = {
    command: "c",
    title: "t",
    summary: [],
    notices: [],
    sections: [
      { kind: "verdict", title: "Own", verdict: "held" },
      { kind: "text", title: "Known", paragraphs: ["said"] },
    ],
  }
  const page = reportRenderer<Own>({ ...kinds, verdict })(report, assets)
  assert.match(page, /<b>held<\/b>/)
  assert.match(page, /\.own \{\}/)
  assert.match(page, /said/)
})
