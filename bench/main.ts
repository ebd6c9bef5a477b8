// Measurements against peers: `npm run bench [-- NAME [ARGUMENT…]]` runs bench/NAME.ts, or all of them, and writes
// bench/out/NAME.json.
import { listExperiments, runExperiment } from "../scripts/support/Experiment.ts"

const [name, ...rest] = process.argv.slice(2)
const names = name === undefined ? listExperiments("bench") : [name]
for (const each of names)
  await runExperiment({ folder: "bench", output: "bench/out", command: "npm run bench --", argv: [each, ...rest] })
