// `npm run test:all`: `npm test` and everything that needs more: time, data sets, Bun, Deno, packed packages, browsers.
// A missing part is a failure that says what is missing.
// Usage: node scripts/test-all.ts [--beyond]   (--beyond: without what `npm test` does)
import { existsSync } from "node:fs"
import { join } from "node:path"
import { runForeignTests } from "./support/ForeignTests.ts"
import { beyondFolder, runNodeTests } from "./support/NodeTests.ts"
import { installRuntime, type RuntimeName } from "./support/Runtimes.ts"
import { Tally } from "./support/Tally.ts"
import { listFiles } from "./support/Workspace.ts"
import { beyondFiles, runBaseTests } from "./test.ts"

/** Tests of the packages that every runtime passes: all but those that need a platform or more than npm. */
function portableFiles(): ReadonlyArray<string> {
  return listFiles(["packages/*/test/**/*.test.ts"]).filter(
    (file) => beyondFolder(file) === undefined && !file.includes("/test/node/"),
  )
}

function requireData(): void {
  const folder = process.env["TANDEM_DATA"]
  if (folder === undefined)
    throw new Error("missing: set TANDEM_DATA to the folder that holds squad/, trec_eval/ and cases/")
  for (const part of ["squad", "trec_eval", "cases"])
    if (!existsSync(join(folder, part))) throw new Error(`missing: ${join(folder, part)} (TANDEM_DATA=${folder})`)
}

function required(folder: string): ReadonlyArray<string> {
  const files = beyondFiles(folder)
  if (files.length === 0) throw new Error(`missing: no test below any test/${folder}/`)
  return files
}

async function runBeyond(tally: Tally): Promise<void> {
  await tally.step("tests on data sets", () => {
    requireData()
    return runNodeTests(required("data"))
  })
  for (const folder of ["browser", "server", "slow"]) {
    const files = beyondFiles(folder)
    if (files.length > 0) await tally.step(`${folder} tests`, () => runNodeTests(files))
  }
  const runtimes: ReadonlyArray<RuntimeName> = ["bun", "deno"]
  for (const runtime of runtimes)
    await tally.step(`portable packages' tests on ${runtime}`, async () =>
      runForeignTests(runtime, await installRuntime(runtime), portableFiles()),
    )
  await tally.step("library and quickstart on Bun and Deno", () => runNodeTests(required("runtimes")))
  await tally.step("packed packages and bundles", () => runNodeTests(required("packaging")))
}

const tally = new Tally()
if (!process.argv.includes("--beyond")) await runBaseTests(tally)
await runBeyond(tally)
tally.close()
