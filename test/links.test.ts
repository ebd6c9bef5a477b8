import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { test } from "node:test"
import { listFiles, root } from "../scripts/support/Workspace.ts"

const pages = listFiles(["*.md", "docs/**/*.md", "bench/*.md", "packages/*/README.md", "apps/*/README.md"], root)

/** A page without its blocks of code. */
const prose = (file: string): string => readFileSync(join(root, file), "utf8").replace(/^```[\s\S]*?^```/gm, "")

/** What a heading is linked by, as code hosts make it. */
const anchorsOf = (file: string): ReadonlySet<string> =>
  new Set(
    [...prose(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_\- ]/gu, "")
        .replaceAll(" ", "-"),
    ),
  )

for (const page of pages) {
  test(`links of ${page} lead somewhere`, () => {
    const links = [
      ...prose(page)
        .replace(/`[^`]*`/g, "")
        .matchAll(/\]\(([^)\s]+)\)/g),
    ]
    for (const [, link = ""] of links) {
      if (/^[a-z]+:/.test(link)) continue
      const [path = "", anchor] = link.split("#")
      const file = path === "" ? page : join(dirname(page), path)
      assert.ok(existsSync(join(root, file)), `${link}: there is no ${file}`)
      if (anchor !== undefined) assert.ok(anchorsOf(file).has(anchor), `${link}: ${file} has no such heading`)
    }
  })

  test(`files of the repository that ${page} names are there`, () => {
    const named = prose(page).matchAll(/`((?:apps|bench|docs|packages|proof|scripts|test)\/[\w./-]*\w)`/g)
    for (const [, path = ""] of named) {
      if (!/[A-Z]{3}|\/out\//.test(path.replace(/README|CONTRIBUTING/, "")))
        assert.ok(existsSync(join(root, path)), path)
    }
  })
}

test("the glossary is in order, and has an entry for each word that it marks", () => {
  const rows = [...prose("docs/glossary.md").matchAll(/^\| (?!name|---)([^|]+) \|(.*)$/gm)]
  const names = rows.map(([, name = ""]) => name)
  assert.deepEqual(names, [...names].sort())
  const marked = rows.flatMap(([, , text = ""]) =>
    [...text.matchAll(/\*([^*]+)\*/g)].map(([, word = ""]) => word.toLowerCase()),
  )
  const strange = marked.filter((word) => !names.includes(word) && !names.includes(word.replace(/s$/, "")))
  assert.deepEqual(strange, [])
})
