// Acceptance runs with real weights and data: `npm run proof -- NAME [ARGUMENT…]` runs proof/NAME.ts and writes what it
// measured to proof/NAME.json, which is committed.
import { keepMemory } from "@tandem/runtime/node/Memory"

// As the command line does: what a proof measures is what people get. It loads no library of the system before.
keepMemory()

const { runExperiment } = await import("./support/Experiment.ts")

await runExperiment({ folder: "proof", output: "proof", command: "npm run proof --", argv: process.argv.slice(2) })
