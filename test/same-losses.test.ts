// Training takes the recorded steps. Bit for bit it does so only on the machine that recorded them: other processors
// round otherwise, and evaluations, which count ranks, can turn with one rounding, so here they are not compared.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { readLosses } from "../scripts/same-losses.ts"
import {
  firstDifference,
  type LossData,
  type LossRow,
  lossRuns,
  runLosses,
  writeLossData,
} from "../scripts/support/LossRuns.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-losses-"))
const root = join(import.meta.dirname, "..")
const recorded = readLosses()
let files: LossData
before(async () => {
  files = await writeLossData(folder)
})
after(() => rmSync(folder, { recursive: true, force: true }))

const nearly = (expected: number, found: number): boolean => Math.abs(found - expected) <= 1e-5 * Math.abs(expected)

const withoutMetrics = (rows: readonly LossRow[]): readonly LossRow[] => rows.map(({ eval: _metrics, ...row }) => row)

test("the record holds every run", () =>
  assert.deepEqual(
    Object.keys(recorded),
    lossRuns.map(({ name }) => name),
  ))

for (const run of lossRuns)
  test(`${run.name}: the recorded losses`, async () => {
    const found = await runLosses(run, root, files, join(folder, run.name))
    assert.equal(firstDifference(withoutMetrics(recorded[run.name]!), withoutMetrics(found), nearly), undefined)
  })

test("a difference is found in a number, in a missing field and in the number of rows, and added fields are passed over", () => {
  const rows = [
    { step: 1, loss: 2 },
    { step: 1, eval: { mrr: 0.5 } },
  ]
  assert.equal(
    firstDifference(rows, [
      { step: 1, loss: 2, more: 1 },
      { step: 1, eval: { mrr: 0.5, more: 1 } },
    ]),
    undefined,
  )
  assert.deepEqual(firstDifference(rows, [{ step: 1, loss: 2 + 2 ** -51 }]), {
    row: 0,
    field: "loss",
    expected: 2,
    found: 2 + 2 ** -51,
  })
  assert.deepEqual(firstDifference(rows, [rows[0]!, { step: 1, eval: { ndcg: 1 } }]), {
    row: 1,
    field: "eval mrr",
    expected: 0.5,
    found: undefined,
  })
  assert.deepEqual(firstDifference(rows, [...rows, { step: 2 }]), { row: 2, field: "rows", expected: 2, found: 3 })
})
