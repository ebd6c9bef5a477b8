import { readFileSync } from "node:fs"
import { join } from "node:path"
import { isMapping } from "./ConfigFile.ts"

/** The steps of the whole run, out of the `config.json` that training writes before its first step. */
export const plannedSteps = (run: string): number | undefined => {
  try {
    const value: unknown = JSON.parse(readFileSync(join(run, "config.json"), "utf8"))
    return isMapping(value) && typeof value["steps"] === "number" ? value["steps"] : undefined
  } catch {
    return undefined
  }
}
