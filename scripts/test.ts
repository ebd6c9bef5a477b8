// `npm test`: everything that needs nothing but the npm registry.
import { checkExamples } from "./check-examples.ts"
import { checkLayers } from "./check-layers.ts"
import { findMentions } from "./check-mentions.ts"
import { installedProgram, runCommand } from "./support/Command.ts"
import { beyondFolder, runNodeTests } from "./support/NodeTests.ts"
import { type Counts, Tally } from "./support/Tally.ts"
import { listFiles } from "./support/Workspace.ts"

const testFiles = ["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts", "test/**/*.test.ts"]

/** Adds every step of `npm test` to a tally. */
export async function runBaseTests(tally: Tally): Promise<void> {
  await tally.step("types", () => program("tsc", ["-p", "tsconfig.json", "--pretty", "false"]))
  await tally.step("format and lint", () => program("biome", ["check", "."]))
  await tally.step("layers, declared dependencies, portability, import cycles", () => lines(checkLayers()))
  await tally.step("mentions of registries and machines", () => lines(findMentions()))
  await tally.step("documentation examples", () => checkExamples())
  await tally.step("unit and runtime tests", () =>
    runNodeTests(listFiles(testFiles).filter((file) => beyondFolder(file) === undefined)),
  )
}

/** Test files of one of the folders that only `npm run test:all` runs. */
export function beyondFiles(folder: string): ReadonlyArray<string> {
  return listFiles(testFiles).filter((file) => beyondFolder(file) === folder)
}

async function program(name: string, args: ReadonlyArray<string>): Promise<Counts> {
  const { status, output } = await runCommand(installedProgram(name), args)
  if (status !== 0) console.log(output.trimEnd())
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

interface Finding {
  readonly file: string
  readonly line: number
  readonly message?: string
  readonly text?: string
}

function lines(findings: ReadonlyArray<Finding>): Counts {
  for (const { file, line, message, text } of findings) console.log(`${file}:${line} ${message ?? text?.trim() ?? ""}`)
  return findings.length === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: findings.length }
}

if (import.meta.main) {
  const tally = new Tally()
  await runBaseTests(tally)
  tally.close()
}
