import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { pathToFileURL } from "node:url"
import { packageVersion } from "@tandem/files/node/PackageVersion"

const root = mkdtempSync(join(tmpdir(), "tandem-version-"))
after(() => rmSync(root, { recursive: true, force: true }))

const url = (path: string): string => pathToFileURL(join(root, path)).href

test("the nearest package.json that names a version counts", () => {
  mkdirSync(join(root, "outer/inner/src/deep"), { recursive: true })
  writeFileSync(join(root, "outer/package.json"), '{"version":"1.2.3"}')
  assert.equal(packageVersion(url("outer/inner/src/deep/Module.ts")), "1.2.3")
  writeFileSync(join(root, "outer/inner/src/package.json"), '{"type":"module"}')
  assert.equal(packageVersion(url("outer/inner/src/deep/Module.ts")), "1.2.3")
  writeFileSync(join(root, "outer/inner/package.json"), '{"version":"4.5.6"}')
  assert.equal(packageVersion(url("outer/inner/src/deep/Module.ts")), "4.5.6")
  assert.equal(packageVersion(url("outer/Module.ts")), "1.2.3")
})

test("a module outside of every package has none", () => {
  assert.equal(packageVersion(pathToFileURL("/Module.ts").href), undefined)
})
