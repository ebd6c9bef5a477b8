// Runs test files under Node's own test runner and counts what they report.
import { availableParallelism } from "node:os"
import { relative, resolve as resolvePath } from "node:path"
import { run } from "node:test"
import { inspect } from "node:util"
import type { Counts } from "./Tally.ts"
import { root } from "./Workspace.ts"

/** Folders below `test/` whose files need more than the npm registry, and so belong to `npm run test:all` alone. */
export const beyondFolders = ["data", "browser", "server", "slow", "packaging", "runtimes"] as const

/** The one of these folders that a test file lies in, or undefined for an ordinary test. */
export function beyondFolder(file: string): string | undefined {
  const below = file.split("/test/").at(-1) ?? file
  const folder = below.replace(/^test\//, "").split("/")[0]
  return beyondFolders.find((name) => name === folder)
}

/**
 * Runs the files, each in its own process, and prints a line for each file and the details of each failure.
 * A skipped test and a file without a test are failures: what is missing has to be said, not passed over.
 */
export function runNodeTests(files: ReadonlyArray<string>): Promise<Counts> {
  if (files.length === 0) return Promise.resolve({ passed: 0, failed: 0 })
  return new Promise((resolve) => {
    let passed = 0
    let failed = 0
    const told = new Set<string>()
    const report = (file: string | undefined, name: string, detail: string) => {
      failed += 1
      // A hook that fails is reported with every suite that it was to prepare.
      if (told.has(detail)) return console.log(`   ✖ ${name}: as above`)
      told.add(detail)
      console.log(`   ✖ ${file === undefined ? "" : `${shorten(file)}: `}${name}\n${indent(detail)}`)
    }
    const errorOutput = new Map<string, string>()
    const stream = run({
      files: [...files],
      cwd: root,
      concurrency: Math.max(1, Math.min(2, availableParallelism())),
      timeout: 30 * 60 * 1000,
    })
    stream.on("test:pass", (event) => {
      if (isWholeFile(event)) report(undefined, shorten(event.name), "holds no test")
      else if (event.skip !== undefined && event.skip !== false)
        report(event.file, event.name, `skipped: ${event.skip === true ? "no reason given" : event.skip}`)
      else if (event.details.type !== "suite") passed += 1
    })
    stream.on("test:fail", (event) => {
      const { error } = event.details
      if (isWholeFile(event)) {
        const name = shorten(event.name)
        report(undefined, name, errorOutput.get(name) ?? describe(error))
      } else if (!("failureType" in error) || !follows.has(String(error.failureType)))
        report(event.file, event.name, describe(error))
      else if (event.details.type !== "suite") failed += 1
    })
    stream.on("test:stderr", ({ file, message }) => {
      const name = shorten(file ?? "")
      errorOutput.set(name, (errorOutput.get(name) ?? "") + message)
    })
    stream.on("test:summary", (event) => {
      if (event.file === undefined) return
      const name = shorten(event.file)
      if (!event.success && errorOutput.has(name)) console.log(indent(errorOutput.get(name) ?? ""))
      const { tests, passed: good } = event.counts
      const seconds = (event.duration_ms / 1000).toFixed(1)
      console.log(`   ${event.success ? "✔" : "✖"} ${name}: ${good}/${tests} in ${seconds} s`)
    })
    stream.on("end", () => resolve({ passed, failed }))
    stream.resume()
  })
}

/** Failures of a test that only say that another one, which is reported itself, has failed. */
const follows = new Set(["subtestsFailed", "cancelledByParent", "parentAlreadyFinished"])

/** Node reports a file as if it were a test where it holds none or ends with an error. */
const isWholeFile = (event: { readonly name: string; readonly nesting: number; readonly file?: string | undefined }) =>
  event.nesting === 0 && event.file !== undefined && resolvePath(root, event.name) === event.file

/** An error with its fields, or with its message alone where a test wrote that message itself. */
function describe(error: Error): string {
  const cause = error.cause ?? error
  const written = cause instanceof Error && "generatedMessage" in cause && cause.generatedMessage === false
  return written ? cause.message : inspect(cause)
}

const shorten = (file: string) => relative(root, resolvePath(root, file))
const indent = (text: string) =>
  text
    .split("\n")
    .filter((line) => !/^\s+at .*node:internal/.test(line))
    .map((line) => `     ${line}`)
    .join("\n")
