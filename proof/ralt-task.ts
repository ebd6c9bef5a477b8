// RALT teaches a reader to answer out of the right one of several passages, while it forgets nothing of what it knows by heart,
// on worlds that nothing was tuned on; and each part of its data is needed: without misleading passages it cannot tell them, without
// known facts it forgets them.
//
//     npm run proof -- ralt-task [PIECE…]
//
// Pieces that proof/ralt-task.json holds are not computed again.
import type { Experiment, ExperimentResult } from "../scripts/support/Experiment.ts"
import {
  type Answers,
  misleading,
  type RaltRun,
  raltAnswers,
  raltRuns,
  trainRaltReader,
  trainRaltTask,
  writeRaltWorld,
} from "../test/support/RaltTask.ts"
import { measurePieces } from "./support/TaskPieces.ts"

/** Worlds that nothing was tuned on; settings were chosen on 0, 1, 4 and 5. */
const seeds = [6, 7, 8]

/** What failed with other settings. */
const earlier =
  "one of three misleading passages about the same name, 300 steps: exact match among misleading ones .965 on world 4 and .48 on world 5 (.21 in 900 steps), as if names were told apart and attributes were not; all about other names, 300 steps: .97 on world 1, .90 on world 5"

/** Exact match before and after. */
interface Figures {
  readonly before: Answers
  readonly after: Answers
  readonly seconds: number
}

const pieces = seeds.flatMap((seed) =>
  (Object.keys(raltRuns) as RaltRun[]).map((run) => ({ name: `${seed} ${run}`, seed, run })),
)

export const run: Experiment = (context) =>
  measurePieces(context, {
    proof: "ralt-task",
    pieces,
    worldOf: ({ seed }) => `seed ${seed}`,
    prepare: async (folder, { seed }) => {
      const task = { ...misleading, seed }
      const world = await writeRaltWorld(folder, task)
      const reader = await trainRaltReader(world, task)
      return { task, world, reader, before: await raltAnswers(world, reader, task) }
    },
    measure: async ({ task, world, reader, before }, { run: kind }): Promise<Figures> => {
      const start = performance.now()
      const trained = await trainRaltTask(world, reader, task, kind)
      const after = await raltAnswers(world, trained, task)
      return { before, after, seconds: Math.round((performance.now() - start) / 1000) }
    },
    resultOf,
  })

const resultOf = (known: ReadonlyMap<string, Figures>): ExperimentResult => {
  const found = pieces.flatMap(({ name, run: kind }) =>
    known.has(name) ? [{ name, kind, figures: known.get(name)! }] : [],
  )
  const holds = found.flatMap(({ name, kind, figures }) =>
    Object.entries(bars[kind](figures)).map(([sentence, holds]) => [`${name}: ${sentence}`, holds] as const),
  )
  return {
    settings: {
      ...misleading,
      ...asking,
      seeds,
      earlier,
      lr: 1e-3,
      batchSize: 64,
      pieces: `${found.length} of ${pieces.length}`,
    },
    figures: Object.fromEntries(found.map(({ name, figures }) => [name, figures])),
    holds: Object.fromEntries(holds),
  }
}

/** Questions behind each figure. */
const asking = {
  questions: { gold: 256, misleading: 256, closedBook: misleading.known * misleading.attributes },
}

type Bars = (figures: Figures) => Readonly<Record<string, boolean>>
const within = 0.05
const tells: Bars = ({ before, after }) => ({
  "misleading passages cost at most 0.05 of 0.9 and more": after.gold >= 0.9 && after.gold - after.misleading <= within,
  "they cost at least 0.5 before": before.gold - before.misleading >= 0.5,
})
const cannotTell: Bars = ({ after }) => ({
  "misleading passages cost at least 0.5": after.gold - after.misleading >= 0.5,
})
const keeps: Bars = ({ before, after }) => ({
  "closed book is at least 0.9 before and no lower after":
    before.closedBook >= 0.9 && after.closedBook >= before.closedBook,
})
const forgets: Bars = ({ before, after }) => ({
  "closed book falls by at least 0.1": before.closedBook - after.closedBook >= 0.1,
})

const bars: Readonly<Record<RaltRun, Bars>> = {
  both: (figures) => ({ ...tells(figures), ...keeps(figures) }),
  // How much it forgets differs between worlds and has no bar.
  "gold alone": cannotTell,
  "gold and known facts": (figures) => ({ ...cannotTell(figures), ...keeps(figures) }),
  "misleading alone": (figures) => ({ ...tells(figures), ...forgets(figures) }),
}
