import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { glob } from "node:fs/promises"
import { join } from "node:path"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { UnreadableFileError } from "@tandem/datasets"
import { ProviderUnavailable } from "@tandem/runtime"
import * as Cause from "effect/Cause"
import { errorJson, renderError, reportCause, reportError } from "../src/ErrorReport.ts"
import { exitCodes } from "../src/ExitCodes.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))

test("every tagged error of the packages has an exit code, and no other tag has one", async () => {
  const tags = new Set<string>()
  for await (const file of glob("{packages,apps}/*/src/**/*.ts", { cwd: root })) {
    const source = readFileSync(join(root, file), "utf8")
    for (const [, tag] of source.matchAll(/TaggedError<\w+>\(\)\(\s*"(\w+)"/g)) tags.add(tag ?? "")
    for (const [, tag] of source.matchAll(/readonly _tag = "(\w+)"/g)) tags.add(tag ?? "")
  }
  assert.ok(tags.size > 40)
  assert.deepEqual([...tags].toSorted(), Object.keys(exitCodes).toSorted())
})

test("a device that cannot be used: the runtime's hint, and the command that looks further", () => {
  const { hint } = reportError(new ProviderUnavailable({ message: "no GPU", hint: "choose the device cpu" }))
  assert.equal(hint, "choose the device cpu; `tandem doctor` says what this machine can do")
  assert.match(reportError(new ProviderUnavailable({ message: "no GPU" })).hint ?? "", /^`tandem doctor`/)
})

test("an error tells what, where, what was expected, what was found and what to do", () => {
  const error = new UnreadableFileError({
    message: "a row is no object",
    file: "data.jsonl",
    line: 12,
    field: "positives",
    expected: "a list",
    found: "7\u001b[2J",
    hint: "see docs/formats.md",
  })
  const report = reportError(error)
  assert.equal(report.exitCode, 3)
  assert.equal(
    renderError(report),
    [
      "error[UnreadableFile] a row is no object (data.jsonl:12, field positives)",
      "  expected  a list",
      "  found     7[2J",
      "  to do     see docs/formats.md",
    ].join("\n"),
  )
  assert.deepEqual(errorJson(report), {
    error: {
      tag: "UnreadableFile",
      message: "a row is no object",
      file: "data.jsonl",
      line: 12,
      field: "positives",
      expected: "a list",
      found: "7\u001b[2J",
      hint: "see docs/formats.md",
    },
  })
})

test("a tagged error that was thrown is known, too; anything else is a fault of the program", () => {
  assert.equal(reportCause(Cause.die(new UnreadableFileError({ message: "gone" }))).exitCode, 3)
  assert.equal(reportCause(Cause.interrupt()).exitCode, 130)
  const fault = reportCause(Cause.die(new TypeError("x is not a function")))
  assert.equal(fault.exitCode, 1)
  assert.match(renderError(fault), /^error\[Unexpected\] x is not a function\n[\s\S]*ErrorReport\.test/)
  assert.equal(reportError("a text").message, "a text")
})
