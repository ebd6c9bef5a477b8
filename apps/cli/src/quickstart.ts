// `npm run quickstart`: invents a world and trains a retriever on it from random weights; then invents another, and trains a
// retriever and a reader on it together, from questions and answers alone.
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Effect, Exit } from "effect"
import { renderError, reportCause } from "./ErrorReport.ts"
import { plannedSteps } from "./PlannedSteps.ts"
import { makeProgress, type Progress } from "./Progress.ts"
import type { QuickstartOptions } from "./quickstart/QuickstartOptions.ts"
import { retrieverPart } from "./quickstart/RetrieverPart.ts"
import { storyPart } from "./quickstart/StoryPart.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    out: { type: "string", default: join("runs", "quickstart") },
    "max-steps": { type: "string" },
  },
})

const shown: Progress[] = []
const options: QuickstartOptions = {
  folder: values.out,
  seed: Number(values.seed),
  ...(values["max-steps"] === undefined ? {} : { maxSteps: Number(values["max-steps"]) }),
  watch: (run) => {
    const progress = makeProgress({ stream: process.stderr, quiet: false, plannedSteps: () => plannedSteps(run) })
    shown.push(progress)
    return { progress, observe: (event) => Effect.sync(() => progress.observe(event)) }
  },
}

const exit = await Effect.runPromiseExit(Effect.andThen(retrieverPart(options), storyPart(options)))
shown.at(-1)?.end()
if (Exit.isFailure(exit)) {
  const report = reportCause(exit.cause)
  process.stderr.write(`${renderError(report)}\n`)
  process.exitCode = report.exitCode
}
