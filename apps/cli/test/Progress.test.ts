import assert from "node:assert/strict"
import { test } from "node:test"
import type { RunEvent } from "@tandem/runs"
import { makeProgress } from "../src/Progress.ts"
import { clock, fit } from "../src/ProgressText.ts"
import { announceStages } from "../src/Stages.ts"

const step = (number: number): RunEvent => ({
  event: "step",
  step: number,
  epoch: number / 10,
  loss: 2,
  lr: 1e-5,
  gradNorm: 1,
  partNorms: {},
  examples: 16,
  seconds: 0.5,
  metrics: {},
})

/** A stream that keeps what is written, and a clock that moves by itself with each event. */
const draw = (
  options: { isTTY: boolean; columns?: number; quiet?: boolean; perEvent: number },
  events: readonly RunEvent[],
) => {
  const { perEvent, quiet = false, ...rest } = options
  let written = ""
  let time = 0
  const stream = { ...rest, write: (text: string) => (written += text) }
  const progress = makeProgress({ stream, quiet, now: () => time, plannedSteps: () => 100 })
  for (const event of events) {
    time += perEvent
    progress.observe(event)
  }
  progress.end()
  return written
}

/** What a terminal shows in the end; no line that is redrawn ever ran over its edge. */
const screen = (written: string, columns: number) => {
  const lines: string[] = []
  // A line is redrawn by going back to its start and clearing it.
  for (const row of written.split("\n")) {
    const drawn = row.split("\r\u001b[2K")
    for (const text of lines.length === 0 || drawn.length > 1 ? drawn.slice(0, -1) : []) {
      assert.ok(text.length < columns, `${text.length} characters in ${columns} columns`)
    }
    lines.push(drawn.at(-1) ?? "")
  }
  return lines
}

test("one live line in a terminal, cut to its width, with lines of their own above it", () => {
  const events: readonly RunEvent[] = [
    { event: "phase", name: "encoding passages", done: 10, total: 1000 },
    { event: "phase", name: "encoding passages", done: 500, total: 1000 },
    step(1),
    { event: "eval", step: 1, metric: "mrr@10", metrics: { n: 5, "recall@1": 0.25, "mrr@10": 0.5 } },
    step(2),
    { event: "checkpoint", step: 2, best: true },
    step(3),
    { event: "warning", message: "a \u001b[31mcoloured\nwarning" },
    { event: "done", step: 3, reason: "completed" },
  ]
  assert.deepEqual(screen(draw({ isTTY: true, columns: 120, perEvent: 1000 }, events), 120), [
    "step 1  recall@1 0.250  mrr@10 0.500",
    "step 2  checkpoint, the best so far",
    "warning: a  [31mcoloured warning",
    "step 3/100  loss 2.000  mrr@10 0.500  epoch 0.30  lr 1.0e-5  32 examples/s",
    "",
  ])
  for (const columns of [12, 20, 40, 60]) screen(draw({ isTTY: true, columns, perEvent: 1000 }, events), columns)
})

test("the live line shows the figure that decides", () => {
  const metrics = { n: 5, "answerRecall@1": 0.25, "answerRecall@5": 0.75 }
  const written = draw({ isTTY: true, columns: 120, perEvent: 1000 }, [
    step(1),
    { event: "eval", step: 1, metric: "answerRecall@5", metrics },
    step(2),
    { event: "done", step: 2, reason: "completed" },
  ])
  assert.match(screen(written, 120).at(-2) ?? "", /loss 2\.000 {2}answerRecall@5 0\.750 {2}epoch/)
})

test("where there is no terminal, a line every few seconds and no control characters", () => {
  const events = Array.from({ length: 30 }, (_, index) => step(index + 1))
  const lines = draw({ isTTY: false, perEvent: 1000 }, events).trim().split("\n")
  assert.equal(lines.length, 6)
  assert.match(lines[1] ?? "", /^step 6\/100 {2}loss 2\.000 {2}1:34 left/)
  assert.ok(!lines.join("").includes("\u001b") && !lines.join("").includes("\r"))
})

test("phases tell rate and time left", () => {
  const phase = (done: number): RunEvent => ({ event: "phase", name: "encoding", done, total: 1000 })
  const written = draw({ isTTY: true, columns: 80, perEvent: 1000 }, [phase(0), phase(100)])
  assert.match(written, /encoding 100\/1,000 {2}100\/s {2}0:09 left/)
})

test("quiet draws nothing", () => {
  assert.equal(draw({ isTTY: true, quiet: true, perEvent: 1000 }, [step(1), { event: "warning", message: "w" }]), "")
})

test("words for times, and lines that fit", () => {
  assert.deepEqual([0, 75, 3700].map(clock), ["0:00", "1:15", "1:01:40"])
  assert.equal(fit("one  two  three", 12), "one  two")
  assert.equal(fit("a-very-long-word  b", 8), "a-very…")
})

test("what training is compared with is shown when it is known, and stages are announced once", () => {
  const events: readonly RunEvent[] = [
    { event: "phase", name: "reading data" },
    { event: "phase", name: "loading the model" },
    { event: "phase", name: "measuring bm25" },
    { event: "baseline", name: "bm25", metrics: { "recall@1": 0.5, n: 8 } },
    { event: "phase", name: "encoding passages", done: 8, total: 8 },
    { event: "baseline", name: "before", metrics: { "recall@1": 0.25, n: 8 } },
    step(1),
    step(2),
    { event: "phase", name: "saving the model" },
  ]
  const shown = draw({ isTTY: false, perEvent: 10_000 }, events).split("\n")
  const at = (line: string) => shown.findIndex((text) => text.startsWith(line))
  assert.ok(at("BM25  recall@1 0.500") > at("measuring bm25"))
  assert.ok(at("before  recall@1 0.250") > at("BM25") && at("before") < at("step 1/100"))

  const announced: string[] = []
  const announce = announceStages((line) => announced.push(line))
  for (const event of events) announce(event)
  assert.deepEqual(
    announced.map((line) => line.slice(0, 3)),
    ["1/4", "2/4", "3/4", "4/4"],
  )
})
