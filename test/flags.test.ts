import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { formatsFile, renderFormats } from "../scripts/flags.ts"

test("the flags in docs/formats.md are those of the schemas", () => {
  const found = readFileSync(formatsFile, "utf8")
  assert.equal(found, renderFormats(found), "stale: run node scripts/flags.ts")
})
