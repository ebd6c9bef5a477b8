import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { join } from "node:path"

/** A file of `$TANDEM_DATA/cases`: small inputs that went wrong once. */
export const at = (path: string): string => {
  const root = process.env["TANDEM_DATA"]
  assert.ok(root, "TANDEM_DATA is not set: point it at the folder that holds cases/")
  const file = join(root, "cases", path)
  assert.ok(existsSync(file), `${file} is missing: TANDEM_DATA must point at the folder that holds cases/`)
  return file
}
