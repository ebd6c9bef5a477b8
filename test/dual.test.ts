// A reader and a retriever that train each other: two rounds with the system measured after each half, and a run that is
// called again does nothing twice.
import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { DprSettings, trainDpr } from "@tandem/dpr"
import { DualSettings, RaltSettings, trainDual, trainRalt } from "@tandem/dual"
import type { RunEvent } from "@tandem/runs"
import { Effect, Schema } from "effect"
import { smallWorld } from "../apps/joint/test/support/SmallWorld.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-dual-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const tiny = { hidden: 16, layers: 1, heads: 2, intermediate: 32, vocabulary: 200 }

test("two rounds measure the system after each half, and go on where they stopped", async () => {
  mkdirSync(join(folder, "data"))
  const { data, dev, corpus, template } = smallWorld(join(folder, "data"))
  const retriever = join(folder, "retriever")
  const dpr = { data: [dev], corpus, model: "tiny", tiny, maxSteps: 2, threads: 1, maxLength: 24, out: retriever }
  const quiet = { observe: () => Effect.void }
  await Effect.runPromise(trainDpr(Schema.decodeUnknownSync(DprSettings)(dpr), quiet))
  const reader = join(folder, "reader")
  const ralt = { data: [data], corpus, generator: "tiny", tiny, template, maxSteps: 1, maxPrompt: 64, maxAnswer: 8 }
  const first = Schema.decodeUnknownSync(RaltSettings)({ ...ralt, threads: 1, out: reader })
  await Effect.runPromise(trainRalt(first, quiet))

  const out = join(folder, "dual")
  const half = { maxSteps: 2, batchSize: 4, lr: 1e-3 }
  const given = {
    ...{ data: [data], dev: [dev], corpus, retriever, generator: reader, rounds: 2, k: 2, answers: 2, threads: 1, out },
    ...{ ralt: half, lsr: { ...half, k: 3, lmTemperature: 0.1 } },
  }
  const events: RunEvent[] = []
  const run = (more: object) =>
    Effect.runPromise(
      trainDual(Schema.decodeUnknownSync(DualSettings)({ ...given, ...more }), {
        observe: (event) => Effect.sync(() => void events.push(event)),
      }),
    )
  const report = await run({})
  assert.deepEqual(
    report.rows.map(({ round, trained }) => `${round} ${trained}`),
    ["0 nothing", "1 reader", "1 retriever", "2 reader", "2 retriever"],
  )
  for (const { metrics } of report.rows)
    for (const name of ["recall@1", "mrr@10", "closedBook.nll", "retrieved.nll", "gold.nll", "retrieved.exactMatch"])
      assert.ok(Number.isFinite(metrics[name]), name)
  const nll = report.rows.map(({ metrics }) => metrics["gold.nll"]!)
  assert.ok(nll[1]! < nll[0]! && nll[2] === nll[1] && nll[3]! < nll[2]!, String(nll))
  assert.equal(events.filter(({ event }) => event === "step").length, 8)
  const { estimate = 0 } = report.rows[3]?.change?.["gold.nll"] ?? {}
  assert.ok(Math.abs(estimate - (nll[3]! - nll[2]!)) < 1e-9)
  assert.ok("recall@1" in (report.rows[4]?.change ?? {}))
  // Each retriever has an index of the corpus already, which the reader's half searches.
  assert.ok(events.every((event) => event.event !== "phase" || event.name !== "encoding passages"))
  // A system is measured once: before and after each half of a reader, and the last one.
  const measured = events.filter(
    (event) => event.event === "phase" && event.name.startsWith("writing answers, closed book"),
  )
  assert.equal(measured.length, 5)

  const written = statSync(join(out, "round-2-retriever/report.json")).mtimeMs
  const steps = events.length
  assert.deepEqual(await run({ resume: true }), report)
  assert.ok(events.slice(steps).every(({ event }) => event !== "step"))
  assert.equal(statSync(join(out, "round-2-retriever/report.json")).mtimeMs, written)
  assert.deepEqual(JSON.parse(readFileSync(join(out, "report.json"), "utf8")), report)
  await assert.rejects(run({}), /holds a run already/)
  await assert.rejects(run({ resume: true, k: 3 }), { _tag: "Settings", field: "k", expected: "2", found: "3" })
  const page = readFileSync(join(out, "report.html"), "utf8")
  for (const text of ["round 2, retriever", nll[3]!.toFixed(3), "completed"]) assert.ok(page.includes(text), text)
  const { command, settings } = JSON.parse(readFileSync(join(out, "config.json"), "utf8"))
  assert.deepEqual([command, settings.rounds, settings.ralt.lr], ["dual train", 2, 1e-3])
})
