import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const made: string[] = []

/** A new folder of its own. */
export const scratch = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "tandem-fuzz-"))
  made.push(folder)
  return folder
}

/** Removes every folder that `scratch` gave. */
export const removeScratch = (): void => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true })
}
