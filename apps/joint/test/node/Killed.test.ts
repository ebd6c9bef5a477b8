// A joint run that is killed and resumed is the run that never was, with real processes and files.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { atCheckpoint, betweenSteps, randomNumbers } from "../../../../test/support/Killed.ts"
import { assertKilledIsSame } from "../support/KilledRun.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-joint-kills-"))
after(() => rmSync(folder, { recursive: true, force: true }))

test("3 kills and resumptions leave the same losses, evaluations, weights and index", async (t) => {
  const random = randomNumbers(14)
  const moments = [betweenSteps(random), atCheckpoint(random), betweenSteps(random)]
  t.diagnostic(`last steps before the kills: ${(await assertKilledIsSame(folder, 40, moments)).join(", ")}`)
})
