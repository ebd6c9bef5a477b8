import { join } from "node:path"
import { askJoint, type JointAnswer } from "@tandem/joint"
import { runPaths } from "@tandem/runs/node/RunFolder"
import type { RunReport } from "@tandem/runs/RunReport"
import { Effect } from "effect"
import { printLine } from "../Console.ts"
import type { Progress } from "../Progress.ts"
import { clock, figure } from "../ProgressText.ts"
import { table } from "../Tables.ts"
import type { QuickstartOptions } from "./QuickstartOptions.ts"
import { type Training, trainStory } from "./Story.ts"

/**
 * The second part of the quickstart: a retriever and a reader, both from nothing, learn together from questions and answers,
 * and then answer with their sources.
 */
export const storyPart = Effect.fn("quickstart.story")(function* ({ folder, watch, ...options }: QuickstartOptions) {
  printLine(
    "\nA second world: who serves in 128 inns, 1,024 passages. The questions are in another language, so that they share",
  )
  printLine(
    "no word with the passages, and the training questions come with answers only: nothing says where these stand.\n",
  )
  const watched: Progress[] = []
  const begin = (training: Training, run: string) => {
    const { progress, observe } = watch(run)
    watched.at(-1)?.end()
    watched.push(progress)
    progress.note(titles[training])
    return observe
  }
  const { world, runs, report } = yield* trainStory({ ...options, folder: join(folder, "story"), begin })
  const asked = world.dev.slice(0, 3)
  const questions = asked.map(({ query }) => query)
  const answers = yield* askJoint({ run: runs.joint, questions, device: "cpu" }, { observe: () => Effect.void })
  watched.at(-1)?.end()
  printLine(`\n${storyTable(report)}\n`)
  for (const [index, { query, answers: expected }] of asked.entries()) printAnswer(query, expected, answers[index])
  const paths = runPaths(runs.joint)
  printLine(`\nmodels  ${paths.retriever}, ${paths.generator}\nindex   ${paths.store}\nreport  ${paths.page}`)
  printLine(`ask     npm run tandem -- ask --run ${runs.joint} "${questions[0]}"`)
})

const titles: Readonly<Record<Training, string>> = {
  retriever: "1/3  a retriever learns a little, from a few questions about other inns with their passages",
  reader: "2/3  a reader learns to copy names out of passages about other inns",
  joint: "3/3  both learn together, from questions and answers",
}

/** What joint training changed, in words. */
const storyTable = ({ before, after, steps, seconds }: RunReport): string => {
  const rows = [
    ["the right passage comes first", "recall@1"],
    ["answers that are right", "retrieved.exactMatch"],
    ["the same without passages", "closedBook.exactMatch"],
  ] as const
  const cell = (value: number | undefined): string => (value === undefined ? "–" : figure(value))
  return table([
    [`${steps} steps in ${clock(seconds)}`, "before", "after"],
    ...rows.map(([words, name]) => [words, cell(before?.[name]), cell(after?.[name])]),
  ])
}

/** An answer with the passage that explains most of it. */
const printAnswer = (question: string, expected: readonly string[], found: JointAnswer | undefined): void => {
  const answer = found?.answer ?? ""
  const right = expected.some((each) => each.toLowerCase() === answer.toLowerCase())
  printLine(`${question}\n  ${right ? "right" : "wrong"}  ${answer === "" ? "nothing was written" : answer}`)
  if (!right) printLine(`  gold   ${expected.join(", ")}`)
  const [source] = [...(found?.sources ?? [])].sort((a, b) => b.weight - a.weight)
  if (source === undefined) return
  printLine(`  from   ${source.text}`)
  printLine(`         found ${source.prior.toFixed(2)}, explains ${source.weight.toFixed(2)} of the answer`)
}
