// Measurements against peers: `npm run bench [-- NAME [ARGUMENT…]]` runs bench/NAME.ts, a group, or all of them, and writes
// bench/out/NAME.json, the page bench/out/index.html and the table in docs/speed.md.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { readUplot } from "@tandem/report/node/UplotFiles"
import { writePerformance } from "../scripts/performance.ts"
import { listExperiments, runExperiment } from "../scripts/support/Experiment.ts"
import { root } from "../scripts/support/Workspace.ts"
import { MissingMaterial } from "./support/Material.ts"
import { renderPage } from "./support/Page.ts"
import { readRecords, summary } from "./support/Records.ts"

const minutes = (seconds: number): string => `${(seconds / 60).toFixed(1)} minutes`
const [name, ...rest] = process.argv.slice(2)
const readers = ["ralt-step", "joint-step", "lsr-step", "generate", "score-passages"]
/** Groups that can be measured one at a time, each within half an hour on two cores. */
const groups: Readonly<Record<string, readonly string[]>> = {
  readers,
  retrievers: listExperiments("bench").filter((each) => !readers.includes(each)),
}
const names = name === undefined ? listExperiments("bench") : (groups[name] ?? [name])
const started = performance.now()
for (const each of names) {
  try {
    const [folder, output, command] = ["bench", "bench/out", "npm run bench --"]
    await runExperiment({ folder, output, command, argv: [each, ...rest], print: false })
    const record = readRecords().find((found) => found.name === each)
    if (record !== undefined) console.log(summary(record))
  } catch (cause) {
    // One benchmark that cannot run keeps no other from it.
    const missing = cause instanceof MissingMaterial
    console.error(missing ? `${each} is left out: ${cause.message}` : cause)
    if (!missing) process.exitCode = 1
  }
}
const records = readRecords()
writeFileSync(join(root, "bench/out/index.html"), renderPage(records, await readUplot()))
writePerformance(records)
console.log(
  `${names.length} of ${listExperiments("bench").length} benchmarks in ${minutes((performance.now() - started) / 1000)}`,
)
