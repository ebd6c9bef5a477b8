import { existsSync } from "node:fs"
import { join } from "node:path"

/** The folder that an environment variable names, if it holds that file; undefined else. */
export const findFolder = (variable: string, holds: string): string | undefined => {
  const folder = process.env[variable]
  return folder !== undefined && existsSync(join(folder, holds)) ? folder : undefined
}
