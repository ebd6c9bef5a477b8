// Type-checks and runs every TypeScript example of the documentation; a failing one is named by file and line.
// Usage: node scripts/check-examples.ts [PART OF A FILE NAME…]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inParallel, installedProgram, runCommand } from "./support/Command.ts"
import { type Example, listExamples } from "./support/Examples.ts"
import type { Counts } from "./support/Tally.ts"
import { root } from "./support/Workspace.ts"

interface ExampleFile extends Example {
  /** Name of the extracted file. */
  readonly name: string
}

/** Checks the examples whose file name contains one of `parts` (all without any) and prints the failing ones. */
export async function checkExamples(parts: ReadonlyArray<string> = []): Promise<Counts> {
  const chosen = listExamples().filter(({ file }) => parts.length === 0 || parts.some((part) => file.includes(part)))
  if (chosen.length === 0) return { passed: 0, failed: 0 }

  const folder = join(root, ".cache", "examples", String(process.pid))
  mkdirSync(folder, { recursive: true })
  try {
    const files = chosen.map((example) => extract(folder, example))
    const typeErrors = await checkTypes(folder)
    const failures = await inParallel(files, 2, async (file) => {
      const types = typeErrors.filter((line) => line.includes(`${file.name}(`))
      return { file, output: types.length > 0 ? types.join("\n") : await runExample(folder, file) }
    })
    const failed = failures.filter(({ output }) => output !== undefined)
    for (const { file, output } of failed) console.log(`   ✖ example in ${file.file}:${file.line}\n${output}`)
    return { passed: files.length - failed.length, failed: failed.length }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Writes an example so that its lines have the numbers that they have in the documentation. */
function extract(folder: string, example: Example): ExampleFile {
  const name = `${example.file.replaceAll(/[^\w]+/g, "_")}_${example.line}.ts`
  const isModule = /^(import|export)\b/m.test(example.code)
  const padding = "\n".repeat(example.line - 1)
  writeFileSync(join(folder, name), `${padding}${example.code}${isModule ? "" : "export {}\n"}`)
  return { ...example, name }
}

async function checkTypes(folder: string): Promise<ReadonlyArray<string>> {
  const config = {
    extends: "../../../tsconfig.json",
    compilerOptions: { noUnusedLocals: false },
    include: ["*.ts"],
    exclude: [],
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  const { status, output } = await runCommand(installedProgram("tsc"), ["-p", folder, "--pretty", "false"])
  if (status === 127) throw new Error(output)
  return output.split("\n").filter((line) => line.includes("error TS"))
}

/** Runs an example in an empty folder; returns what it printed if it failed. */
async function runExample(folder: string, { name }: ExampleFile): Promise<string | undefined> {
  const cwd = mkdtempSync(join(tmpdir(), "tandem-example-"))
  try {
    const { status, output } = await runCommand(process.execPath, [join(folder, name)], { cwd, timeoutSeconds: 120 })
    return status === 0 ? undefined : output
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const { passed, failed } = await checkExamples(process.argv.slice(2))
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
}
