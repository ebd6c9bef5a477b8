// A joint run that is killed at ten moments, while it retrieves, makes its index anew, swaps it, saves or has not begun.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import {
  afterTraining,
  atCheckpoint,
  beforeTraining,
  betweenSteps,
  randomNumbers,
} from "../../../../test/support/Killed.ts"
import { assertKilledIsSame } from "../support/KilledRun.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-joint-kills-"))
after(() => rmSync(folder, { recursive: true, force: true }))

test("10 kills and resumptions leave the same losses, evaluations, weights and index", async (t) => {
  const random = randomNumbers(20)
  const moments = [
    ...Array.from({ length: 8 }, (_, kill) =>
      (kill % 6 === 2 ? beforeTraining : kill % 2 === 0 ? betweenSteps : atCheckpoint)(random),
    ),
    ...Array.from({ length: 2 }, () => afterTraining(random)),
  ]
  t.diagnostic(`last steps before the kills: ${(await assertKilledIsSame(folder, 300, moments)).join(", ")}`)
})
