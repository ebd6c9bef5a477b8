import assert from "node:assert/strict"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { searchDpr } from "@tandem/dpr"
import { type TunePlan, type TuneSettings, tune } from "@tandem/tune"
import { Effect } from "effect"

const scratch = mkdtempSync(join(tmpdir(), "tandem-tune-"))
after(() => rmSync(scratch, { recursive: true, force: true }))

const goods = ["salt", "amber", "wool", "glass", "copper", "tea", "timber", "silk", "wax", "iron", "rope", "dye"]
const notes = join(scratch, "notes")
mkdirSync(notes)
for (const [index, good] of goods.entries()) {
  const sections = ["market", "harbour", "bridge"].map(
    (place) =>
      `## The ${good} ${place}\n\nThe ${place} of the ${good} town stands by the river. Traders bring ${good} to the ${place} in spring. Nobody counts how much ${good} there is at the ${place}.`,
  )
  writeFileSync(join(notes, `${good}.md`), `# Town ${index}\n\n${sections.join("\n\n")}\n`)
}

const silent = { observe: () => Effect.void }
const settings: TuneSettings = {
  ...{ folder: notes, model: "tiny", out: join(scratch, "run"), chunkSize: 48, heldOut: 0.25 },
  ...{ epochs: 2, batchSize: 8, threads: 1 },
}
const run = (given: TuneSettings, planned: (plan: TunePlan) => void = () => undefined) =>
  Effect.runPromise(tune(given, { ...silent, planned: (plan) => Effect.sync(() => planned(plan)) }))
const failure = (given: TuneSettings) => Effect.runPromise(Effect.flip(tune(given, silent)))

test("a folder of documents becomes a retriever, its measures on held-out documents, and an index", async () => {
  let told: TunePlan | undefined
  const { plan, report, index } = await run(settings, (known) => {
    told = known
    assert.ok(!existsSync(join(settings.out, "report.json")))
  })
  assert.deepEqual(told, plan)
  assert.equal(plan.documents, goods.length)
  assert.ok(plan.seconds > 0 && plan.questions >= 16 && plan.heldOut >= 4)
  assert.equal(report.steps, plan.steps)
  assert.ok(report.before?.["recall@5"] !== undefined && report.differences?.before["recall@5"] !== undefined)
  assert.equal(index?.removed, 0)
  const [found] = await Effect.runPromise(
    searchDpr({ run: settings.out, questions: ["the amber harbour"], k: 3, device: "cpu", threads: 1 }, silent),
  )
  assert.equal(found?.length, 3)
  // The index holds the documents as they are, what was taken out for questions included.
  const texts = readFileSync(join(notes, "amber.md"), "utf8")
  assert.ok(
    found.every(({ text }) =>
      text.split("\n\n").every((part) => part === "" || !part.includes("amber") || texts.includes(part)),
    ),
  )

  // A run that has ended is not made again, and one is not begun over it.
  assert.equal((await failure(settings))._tag, "Settings")
  assert.equal((await failure({ ...settings, seed: 4, resume: true }))._tag, "Settings")
  const again = await run({ ...settings, resume: true })
  assert.deepEqual(again.report.after, report.after)
  assert.equal(again.index?.encoded, 0)
})

test("folders with too little to learn from are refused", async () => {
  const few = join(scratch, "few")
  mkdirSync(few)
  const given = { ...settings, folder: few, out: join(scratch, "none") }
  assert.equal((await failure(given))._tag, "NoDocuments")
  writeFileSync(join(few, "a.txt"), "One sentence is all that there is in this file.")
  assert.equal((await failure(given))._tag, "TooFewQuestions")
  assert.equal((await failure({ ...given, folder: join(scratch, "nowhere") }))._tag, "NoDocuments")
  assert.equal((await failure({ ...given, chunkSize: 3 }))._tag, "Settings")
  assert.ok(!existsSync(given.out))
})
