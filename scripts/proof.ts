// Acceptance runs with real weights and data: `npm run proof -- NAME [ARGUMENT…]` runs proof/NAME.ts and writes what it
// measured to proof/NAME.json, which is committed.
import { runExperiment } from "./support/Experiment.ts"

await runExperiment({ folder: "proof", output: "proof", command: "npm run proof --", argv: process.argv.slice(2) })
