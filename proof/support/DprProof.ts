import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DprSettings, trainDpr } from "@tandem/dpr"
import type { RunReport } from "@tandem/runs"
import { Effect, Schema } from "effect"

/** The folder that an environment variable names; a proof without it cannot run. */
export const folderOf = (variable: string, holds: string): string => {
  const folder = process.env[variable]
  if (folder !== undefined && existsSync(join(folder, holds))) return folder
  throw new Error(`set ${variable} to the folder that holds ${holds}`)
}

/** Trains in a temporary folder and gives the report. */
export const trainForProof = async (
  settings: Readonly<Record<string, unknown>>,
  log: (line: string) => void,
): Promise<{ readonly settings: DprSettings; readonly report: RunReport }> => {
  const out = mkdtempSync(join(tmpdir(), "tandem-proof-"))
  try {
    const decoded = Schema.decodeUnknownSync(DprSettings)({ ...settings, out: join(out, "run") })
    const report = await Effect.runPromise(
      trainDpr(decoded, {
        observe: (event) =>
          Effect.sync(() => {
            if (event.event === "step" && event.step % 50 === 0) {
              log(`step ${event.step}: loss ${event.loss.toFixed(4)}, ${event.seconds.toFixed(2)} s`)
            }
            if (event.event === "eval") log(`step ${event.step}: ${JSON.stringify(event.metrics)}`)
            if (event.event === "warning") log(event.message)
          }),
      }),
    )
    return { settings: decoded, report }
  } finally {
    rmSync(out, { recursive: true, force: true })
  }
}
