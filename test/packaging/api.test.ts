// The API reference is made of doc comments, all of whose links lead somewhere.
import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { apiModules, writeApi } from "../../scripts/docs-api.ts"
import { listWorkspaces, root } from "../../scripts/support/Workspace.ts"

const out = mkdtempSync(join(tmpdir(), "tandem-api-"))
after(() => rmSync(out, { recursive: true, force: true }))

test("every module that users import has a page, with what its comments say", () => {
  assert.ok(writeApi(out), "TypeDoc has warnings: its output is above")
  const names = new Map(listWorkspaces().map(({ path, manifest }) => [path, manifest.name]))
  const modules = apiModules().map((file) => {
    const [folder = "", module = ""] = file.replace(/\.ts$/, "").split("/src/")
    return `${names.get(folder)}${module === "index" ? "" : `/${module}`}`
  })
  assert.ok(modules.length > 50)
  const contents = readFileSync(join(out, "README.md"), "utf8")
  const pages = new Map(Array.from(contents.matchAll(/^- \[(.+)\]\((.+)\)$/gm), ([, name, page]) => [name, page]))
  for (const name of modules) assert.ok(existsSync(join(out, pages.get(name) ?? "nowhere")), `a page for ${name}`)
  const page = readFileSync(join(out, "@tandem/random.md"), "utf8")
  assert.ok(page.includes(JSON.parse(readFileSync(join(root, "packages/random/package.json"), "utf8")).description))
  assert.match(page, /### Random\n\nA small deterministic generator[\s\S]*#### Example\n\n```ts\nimport \{ Random \}/)
})
