import { rmSync } from "node:fs"
import { join } from "node:path"
import { makeWorld } from "@tandem/datasets"
import { writeWorld } from "@tandem/datasets/node/WorldFiles"
import { DprSettings, searchDpr, trainDpr } from "@tandem/dpr"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Schema } from "effect"
import { printLine } from "../Console.ts"
import { announceStages } from "../Stages.ts"
import { comparisonTable } from "../Tables.ts"
import { atMost, type QuickstartOptions } from "./QuickstartOptions.ts"
import { quickstartRecipe } from "./Recipes.ts"

/** The first part of the quickstart: invents a world, trains a retriever on it from nothing, shows what it learnt. */
export const retrieverPart = Effect.fn("quickstart.retriever")(function* (options: QuickstartOptions) {
  const { folder, seed, watch } = options
  const out = join(folder, "run")
  const world = makeWorld({ seed })
  const files = yield* writeWorld(join(folder, "world"), world)
  const { passages, relations, trainingQuestions, evaluationQuestions } = world.statistics
  printLine(
    `An invented world: ${passages} passages on ${relations} relations, ${trainingQuestions} training questions,`,
  )
  printLine(`${evaluationQuestions} evaluation questions about things that no training question names.\n`)
  rmSync(out, { recursive: true, force: true })
  const settings = yield* Schema.decodeUnknownEffect(DprSettings)({
    ...atMost(options, quickstartRecipe),
    data: [files.train],
    dev: [files.dev],
    corpus: files.corpus,
    out,
    seed,
  })
  const { progress, observe } = watch(out)
  const announce = announceStages(progress.note)
  const report = yield* trainDpr(settings, {
    observe: (event) =>
      Effect.andThen(
        Effect.sync(() => announce(event)),
        observe(event),
      ),
  })
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
