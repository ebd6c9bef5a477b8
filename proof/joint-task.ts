// Joint training solves a task that only a working trainer solves: facts about names, asked in other words, whose passages
// nobody names. Both losses, from a weak and from a random retriever, passages frozen and live; with scores that are severed
// from the graph, and with an index that is never renewed. Settings were chosen on worlds 0 to 3 (`earlier` says what failed
// there before); nothing was chosen on the worlds here.
//
//     npm run proof -- joint-task [PIECE…]
//
// Pieces that proof/joint-task.json holds are not computed again.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { evaluateTowers } from "@tandem/objectives"
import { openRetriever } from "@tandem/objectives/node/OpenRetriever"
import { rawQuestions } from "@tandem/objectives/node/Questions"
import type { RunReport } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import type { Experiment, ExperimentResult } from "../scripts/support/Experiment.ts"
import { silenced } from "../test/support/JointFaults.ts"
import {
  type JointTask,
  type JointWorld,
  trainTask,
  trainTaskRetriever,
  weakStart,
  writeJointWorld,
} from "../test/support/JointTask.ts"
import { trainTaskReader } from "../test/support/TaskWorld.ts"
import { measurePieces } from "./support/TaskPieces.ts"

/** Nothing was tuned on them; with earlier settings, one random start was tried on world 4. */
const seeds = [4, 5, 6]
/**
 * 256 passages, and a retriever of random weights. The embedding of the segment is nothing and stays so: it is the same in all
 * tokens, so that it makes texts alike, and its gradient, a sum over all tokens, moves all questions in one direction.
 */
const randomStart = {
  ...{ parts: 6, names: 32, attributes: 8, hidden: 256, plainSegments: true },
  ...{ warmSteps: 0, readerSteps: 400 },
}
const segments = "*token_type_embeddings*"
/** A weak retriever has had as many steps of dense retrieval as it takes to find one passage of ten, at most so many. */
const mostWarmSteps = 12
const weakRecall = 0.1
/** Steps are of runs whose passages are frozen; live ones need fewer from a weak start, and more from a random one. */
const starts = {
  weak: {
    ...{ task: { ...weakStart, warmSteps: mostWarmSteps }, freeze: [] },
    ...{ k: 8, temperature: 0.03, steps: 450, liveSteps: 300, passageRate: 1e-3 },
  },
  random: {
    ...{ task: randomStart, freeze: [segments] },
    ...{ k: 8, temperature: 0.02, steps: 600, liveSteps: 1200, passageRate: 3e-4 },
  },
} as const
type Start = keyof typeof starts

const rates = { query: 1e-3, generator: 1e-4 }
const liveParts = { train: ["query", "generator", "passage"] }
const renewed = { ...liveParts, refresh: "every:25" }

/** Runs of a world, by name. */
const runs = {
  "token frozen": { loss: "rag-token" },
  "sequence frozen": { loss: "rag-sequence" },
  "token live": { loss: "rag-token", ...renewed },
  "sequence live": { loss: "rag-sequence", ...renewed },
  severed: { loss: "rag-sequence" },
  "never renewed": { loss: "rag-sequence", ...liveParts, refresh: "never" },
} as const
type Run = keyof typeof runs

/** Recall as a share of 256 questions, exact match of 128. */
interface Figures {
  readonly recallBefore: number
  readonly recall: number
  readonly exactMatchBefore: number
  readonly exactMatch: number
  readonly closedBook: number
  /** Searched in the index that training searched last, where it was made by other weights than those that are saved. */
  readonly recallInUse?: number
  readonly seconds: number
}

/** The worlds' pieces: each loss by itself, so that a proof that is interrupted has lost little. */
const pieces = (Object.keys(starts) as Start[]).flatMap((start) =>
  seeds.flatMap((seed) =>
    (Object.keys(runs) as Run[]).flatMap((run) =>
      run === "never renewed" && start === "random" ? [] : [{ name: `${start} ${seed} ${run}`, start, seed, run }],
    ),
  ),
)

export const run: Experiment = (context) =>
  measurePieces(context, {
    proof: "joint-task",
    pieces,
    worldOf: ({ start, seed }) => `${start} ${seed}`,
    prepare: (folder, { start, seed }) => prepare(folder, { ...starts[start].task, seed }),
    measure: (prepared, { start, run: kind }) => trained(prepared, start, kind),
    resultOf,
  })

const resultOf = (known: ReadonlyMap<string, Figures>): ExperimentResult => {
  const found = pieces.flatMap(({ name }) => {
    const figures = known.get(name)
    return figures === undefined ? [] : [[name, figures] as const]
  })
  const done = `${found.length} of ${pieces.length}`
  return {
    settings: { seeds, starts, weakRecall, rates, batchSize: 16, renewedEvery: 25, pieces: done },
    figures: { ...Object.fromEntries(found), earlier },
    holds: holdsOf(new Map(found)),
  }
}

/** What was run before, with other settings. */
const earlier = {
  settings:
    "k 8; weak: five steps of dense retrieval, temperature 0.03; random: temperature 0.01, 600 steps; worlds 1, 2, 3",
  held: "worlds 1 and 2 from the weak start in all rows (recall@1 .93 to 1); world 3 with RAG-Token (.95 frozen, 1 live)",
  failed:
    "world 3, whose weak retriever began at recall@1 .035: RAG-Sequence ended at .04 frozen and .01 live; random, world 1: RAG-Token .70 frozen and .30 live, RAG-Sequence .92 frozen and .02 live",
  random:
    "k 16, temperature 0.05, 450 steps, world 4: frozen, RAG-Token ended at recall@1 .36 and RAG-Sequence at .22; k 8, temperature 0.02, 600 steps, world 1: frozen .70 (RAG-Sequence) and .49 (RAG-Token), live .00. A loop in plain PyTorch that began with the same weights on worlds 0, 2 and 3 (RAG-Sequence, frozen) ended at .77, .00 and .73. All of this with segments' embeddings that were random and trained: on world 2 they alone made the query encoder's first gradient twice as large, and without them both came to .95 and more (PyTorch .98)",
  live: "random, RAG-Sequence, passages live, rate of passages 1e-3: 600 steps, world 4, recall@1 .59; 1,200 steps, worlds 0, 1 and 2, .90, .97 and .80 (.97 with an index made anew every 10 steps); rate 3e-4, world 2, .95 after 750 of 1,200 steps",
} as const

interface Prepared {
  readonly world: JointWorld
  readonly retriever: string
  readonly generator: string
}

const prepare = async (folder: string, task: JointTask): Promise<Prepared> => {
  const world = await writeJointWorld(folder, task)
  const generator = await trainTaskReader(world, task.readerSteps)
  if (task.warmSteps === 0) return { world, generator, retriever: await trainTaskRetriever(world, 0) }
  for (let steps = 5; ; steps++) {
    const retriever = await trainTaskRetriever(world, steps)
    if (steps === task.warmSteps || (await recallOf(world, retriever)) >= weakRecall)
      return { world, generator, retriever }
    rmSync(retriever, { recursive: true })
  }
}

const trained = async ({ world, ...models }: Prepared, start: Start, kind: Run): Promise<Figures> => {
  const { k, steps, liveSteps, passageRate, temperature, freeze } = starts[start]
  const out = join(world.folder, kind.replaceAll(" ", "-"))
  const live = "train" in runs[kind]
  const settings = {
    ...runs[kind],
    lr: live ? { ...rates, passage: passageRate } : rates,
    maxSteps: live ? liveSteps : steps,
    epochs: 100,
    temperature,
    k,
    freeze,
    answers: 128,
    out,
  }
  const report = await trainTask(world, models, settings, kind === "severed" ? { plant: silenced } : {})
  const { before, after, seconds } = report
  const figure = (metrics: RunReport["before"], name: string): number => rounded(metrics?.[name] ?? Number.NaN)
  return {
    recallBefore: figure(before, "recall@1"),
    recall: figure(after, "recall@1"),
    exactMatchBefore: figure(before, "retrieved.exactMatch"),
    exactMatch: figure(after, "retrieved.exactMatch"),
    closedBook: figure(after, "closedBook.exactMatch"),
    ...(kind === "never renewed" ? { recallInUse: figure(after, "inUse.recall@1") } : {}),
    seconds: Math.round(seconds),
  }
}

/** Recall@1 of a run's retriever. */
const recallOf = (world: JointWorld, run: string): Promise<number> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { data } = yield* rawQuestions([world.dev], "dev", { corpus: world.corpus })
        const { towers, retrieval } = yield* openRetriever(run)
        const { metrics } = yield* evaluateTowers(towers, data, retrieval, () => {})
        return rounded(metrics["recall@1"] ?? Number.NaN)
      }),
    ).pipe(Effect.provide(layer({ threads: 1 }))),
  )

const rounded = (value: number): number => Math.round(value * 1e4) / 1e4

/** What has to hold of the pieces that are there. */
const holdsOf = (found: ReadonlyMap<string, Figures>): Readonly<Record<string, boolean>> => {
  const holds: Record<string, boolean> = {}
  for (const { name, start, seed, run: kind } of pieces) {
    const figures = found.get(name)
    if (figures === undefined) continue
    const { recall, exactMatch, recallBefore, exactMatchBefore, closedBook, recallInUse = Number.NaN } = figures
    if (kind === "severed") {
      holds[`${name}: recall@1 and exact match stay at 0.2 or less`] = recall <= 0.2 && exactMatch <= 0.2
    } else if (kind === "never renewed") {
      const other = found.get(`${start} ${seed} sequence live`)
      if (other !== undefined)
        holds[`${name}: recall@1 is at least 0.15 below that of an index made anew`] =
          other.recall - recallInUse >= 0.15
    } else {
      holds[`${name}: recall@1 and exact match are at least 0.85, and were at most 0.3`] =
        recall >= 0.85 && exactMatch >= 0.85 && recallBefore <= 0.3 && exactMatchBefore <= 0.3
      holds[`${name}: closed book 0.05 at most`] = closedBook <= 0.05
    }
  }
  return holds
}
