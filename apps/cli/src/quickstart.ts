// `npm run quickstart`: invents a world, trains a retriever on it from random weights, and shows what it learned.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { makeWorld } from "@tandem/datasets"
import { writeWorld } from "@tandem/datasets/node/WorldFiles"
import { DprSettings, searchDpr, trainDpr } from "@tandem/dpr"
import type { RunEvent } from "@tandem/runs"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Exit, Schema } from "effect"
import { printLine } from "./Console.ts"
import { renderError, reportCause } from "./ErrorReport.ts"
import { plannedSteps } from "./PlannedSteps.ts"
import { makeProgress } from "./Progress.ts"
import { quickstartRecipe } from "./QuickstartRecipe.ts"
import { announceStages } from "./Stages.ts"
import { comparisonTable } from "./Tables.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    out: { type: "string", default: join("runs", "quickstart") },
    "max-steps": { type: "string" },
  },
})
const seed = Number(values.seed)
const out = join(values.out, "run")

const recipe = {
  ...quickstartRecipe,
  ...(values["max-steps"] === undefined ? {} : { maxSteps: Number(values["max-steps"]) }),
}

const progress = makeProgress({ stream: process.stderr, quiet: false, plannedSteps: () => plannedSteps(out) })
const announce = announceStages(progress.note)
const observe = (event: RunEvent) =>
  Effect.sync(() => {
    announce(event)
    progress.observe(event)
  })

const quickstart = Effect.gen(function* () {
  const world = makeWorld({ seed })
  const files = yield* writeWorld(join(values.out, "world"), world)
  const { passages, relations, trainingQuestions, evaluationQuestions } = world.statistics
  printLine(
    `An invented world: ${passages} passages on ${relations} relations, ${trainingQuestions} training questions,`,
  )
  printLine(`${evaluationQuestions} evaluation questions about things that no training question names.\n`)
  rmSync(out, { recursive: true, force: true })
  const settings = yield* Schema.decodeUnknownEffect(DprSettings)({
    ...recipe,
    data: [files.train],
    dev: [files.dev],
    corpus: files.corpus,
    out,
    seed,
  })
  const report = yield* trainDpr(settings, { observe })
  const asked = world.dev.slice(0, 3)
  const questions = asked.map(({ query }) => query)
  const found = yield* searchDpr({ run: out, questions, k: 1, device: "cpu" }, { observe: () => Effect.void })
  progress.end()
  printLine(`\n${comparisonTable(report)}`)
  const texts = new Map(world.passages.map(({ id, text }) => [id, text]))
  for (const [index, { query, positives }] of asked.entries()) {
    const answer = found[index]?.[0]
    const right = answer !== undefined && positives.includes(answer.id)
    printLine(`${query}\n  ${right ? "right" : "wrong"}  ${answer?.text ?? "nothing was found"}`)
    if (!right) printLine(`  gold   ${texts.get(positives[0] ?? "") ?? ""}`)
  }
  const paths = runPaths(out)
  printLine(`\nmodel   ${paths.retriever}\nindex   ${paths.store}\nreport  ${paths.page}`)
  printLine(`ask     npm run tandem -- dpr search --run ${out} "${questions[0]}"`)
})

const exit = await Effect.runPromiseExit(quickstart)
progress.end()
if (Exit.isFailure(exit)) {
  const report = reportCause(exit.cause)
  process.stderr.write(`${renderError(report)}\n`)
  process.exitCode = report.exitCode
}
