// Runs the same test files under Bun's and Deno's own test runners, which both implement `node:test`.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inParallel, runCommand } from "./Command.ts"
import { type RuntimeName, runtimeEnvironment } from "./Runtimes.ts"
import type { Counts } from "./Tally.ts"

const testArguments: Readonly<Record<RuntimeName, (file: string, report: string) => ReadonlyArray<string>>> = {
  bun: (file, report) => ["test", `./${file}`, "--timeout=900000", "--reporter=junit", `--reporter-outfile=${report}`],
  deno: (file, report) => ["test", "--allow-all", "--no-check", "--no-lock", `--junit-path=${report}`, file],
}

/** Runs each file in its own process, two at a time. As under Node, a skipped test and an empty file are failures. */
export async function runForeignTests(
  runtime: RuntimeName,
  program: string,
  files: ReadonlyArray<string>,
): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), `tandem-${runtime}-`))
  try {
    const results = await inParallel([...files.entries()], 2, async ([index, file]) => {
      const report = join(folder, `${index}.xml`)
      const { status, output } = await runCommand(program, testArguments[runtime](file, report), {
        env: runtimeEnvironment,
      })
      const { passed, failed } = readReport(existsSync(report) ? readFileSync(report, "utf8") : "")
      const good = status === 0 && failed === 0 && passed > 0
      const reason = passed + failed === 0 ? `reported no test (exit code ${status})` : `${passed} passed`
      console.log(`   ${good ? "✔" : "✖"} ${file}: ${reason}${failed > 0 ? `, ${failed} failed or skipped` : ""}`)
      if (!good) console.log(output.trimEnd().replaceAll(/^/gm, "     "))
      return { passed, failed: good ? 0 : Math.max(1, failed) }
    })
    return results.reduce((sum, one) => ({ passed: sum.passed + one.passed, failed: sum.failed + one.failed }), {
      passed: 0,
      failed: 0,
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Counts the cases of a JUnit report; a case with a failure, an error or a skip inside counts as failed. */
export function readReport(xml: string): Counts {
  const cases = [...xml.matchAll(/<testcase\b[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g)]
  const failed = cases.filter(([, body]) => /<(failure|error|skipped)\b/.test(body ?? "")).length
  return { passed: cases.length - failed, failed }
}
