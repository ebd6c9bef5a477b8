// What the checks of scripts/ read out of sources, pages and reports.
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { findMentions } from "../scripts/check-mentions.ts"
import { readExamples } from "../scripts/support/Examples.ts"
import { readReport } from "../scripts/support/ForeignTests.ts"
import { readImports } from "../scripts/support/Imports.ts"
import { beyondFolder } from "../scripts/support/NodeTests.ts"

test("imports of every form are found with the line of their specifier", () => {
  const source = [
    'import "a"',
    'import b from "b"',
    "import {",
    "  type C,",
    '} from "c"',
    'import type { D } from "d"',
    'export * as e from "e"',
    "export const f = 1",
    'const g = await import("g")',
    ' * import { h } from "h"',
    'const i = import.meta.resolve("i")',
  ].join("\n")
  assert.deepEqual(
    readImports(source).map(({ specifier, line, typeOnly }) => `${line} ${specifier}${typeOnly ? " type" : ""}`),
    ["1 a", "2 b", "5 c", "6 d type", "7 e", "9 g", "11 i"],
  )
})

test("an example keeps its code and the line where it begins", () => {
  const page = ["# Title", "```sh", "npm install", "```", "  ```ts", "  const a = 1", "", "    a", "  ```", "end"].join(
    "\n",
  )
  assert.deepEqual(readExamples("page.md", page), [{ file: "page.md", line: 6, code: "const a = 1\n\n  a\n" }])
})

test("a JUnit report counts failures, errors and skips as failed", () => {
  const report = `<testsuites><testsuite>
    <testcase name="a" /><testcase name="b"></testcase>
    <testcase name="c"><failure message="no" /></testcase><testcase name="d"><skipped/></testcase>
  </testsuite></testsuites>`
  assert.deepEqual(readReport(report), { passed: 2, failed: 2 })
  assert.deepEqual(readReport(""), { passed: 0, failed: 0 })
})

test("the folder below test/ says what a test needs", () => {
  assert.equal(beyondFolder("packages/evals/test/data/trec.test.ts"), "data")
  assert.equal(beyondFolder("test/packaging/pack.test.ts"), "packaging")
  assert.equal(beyondFolder("packages/evals/test/Ranking.test.ts"), undefined)
  assert.equal(beyondFolder("packages/store/test/node/Files.test.ts"), undefined)
})

test("mentions of a registry's host and of a machine's folders are found in tracked files", () => {
  const folder = mkdtempSync(join(tmpdir(), "tandem-mentions-"))
  try {
    const host = ["registry.npmjs", "org"].join(".")
    const text = ["fine: docs/home/page.md", `"resolved": "https://${host}/x"`, `see ${["", "root", "x"].join("/")}`]
    writeFileSync(join(folder, "tracked.txt"), text.join("\n"))
    writeFileSync(join(folder, "untracked.txt"), text.join("\n"))
    execFileSync("git", ["init", "-q"], { cwd: folder })
    execFileSync("git", ["add", "tracked.txt"], { cwd: folder })
    assert.deepEqual(
      findMentions(folder).map(({ file, line }) => `${file}:${line}`),
      ["tracked.txt:2", "tracked.txt:3"],
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
