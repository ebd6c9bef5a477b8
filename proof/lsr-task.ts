// A retriever that a reader teaches finds the one passage of eight on a topic that answers, on worlds that nothing was tuned on;
// and the settings that are known to fail do fail, with the warnings that say so.
//
//     npm run proof -- lsr-task [PIECE…]
//
// Pieces that proof/lsr-task.json holds are not computed again.
import { join } from "node:path"
import type { Experiment, ExperimentResult } from "../scripts/support/Experiment.ts"
import { silenced } from "../test/support/JointFaults.ts"
import { manners, teachTask, writeLsrWorld } from "../test/support/LsrTask.ts"
import { trainTaskReader } from "../test/support/TaskWorld.ts"
import { measurePieces } from "./support/TaskPieces.ts"

/** Seeds that nothing was tuned on. */
const seeds = [1, 2, 3]
const steps = 300

const good = { candidates: "renewed", direction: "lm-retriever" }
const longAnswers = { maxAnswer: 16, maxPrompt: 40 }

/** Runs of a world, by name; answers of 14 tokens, and passages that state nothing, have worlds of their own. */
const runs = {
  "lm-retriever, renewed": { given: good, world: "plain" },
  "the same, answers of 14 tokens": { given: { ...good, ...longAnswers, maxSteps: 2 * steps }, world: "long" },
  "retriever-lm, fixed": { given: {}, world: "plain" },
  "retriever-lm, renewed, passages that state nothing": {
    given: { candidates: "renewed", direction: "retriever-lm", flatBelow: 0, k: 8 },
    world: "idle",
  },
  "prob, answers of 14 tokens, flat targets too": {
    given: { ...good, ...longAnswers, score: "prob", flatBelow: 0 },
    world: "long",
  },
  severed: { given: good, world: "plain" },
} as const
type Run = keyof typeof runs

/** Shares of the questions about a third of the topics. */
interface Figures {
  readonly recallBefore: number
  readonly recall: number
  readonly nllBefore: number
  readonly nll: number
  readonly loss: number
  readonly targetEntropy: number
  readonly warnings: readonly string[]
  readonly seconds: number
}

const pieces = seeds.flatMap((seed) =>
  (Object.keys(runs) as Run[]).map((run) => ({ name: `${seed} ${run}`, seed, run })),
)

export const run: Experiment = (context) =>
  measurePieces(context, {
    proof: "lsr-task",
    pieces,
    worldOf: ({ seed, run: name }) => `seed ${seed}, ${runs[name].world}`,
    prepare: async (folder, { seed, run: first }) => {
      const { world: kind } = runs[first]
      const long = kind === "long"
      // Among ten words that nothing tells the two to copy are learned later.
      const readerSteps = (long ? 2 : 1) * manners.readerSteps
      const task = { ...manners, readerSteps, seed, long, idle: kind === "idle" }
      const world = await writeLsrWorld(folder, task)
      return { world, reader: await trainTaskReader(world, readerSteps, long ? longAnswers : {}) }
    },
    measure: ({ world, reader }, { run: own }) => taught(world, reader, own),
    resultOf,
  })

const taught = async (world: Parameters<typeof teachTask>[0], reader: string, kind: Run): Promise<Figures> => {
  const warnings: string[] = []
  const last = { loss: Number.NaN, targetEntropy: Number.NaN }
  const out = join(world.folder, kind.replaceAll(/\W+/g, "-"))
  const { before, after, seconds } = await teachTask(
    world,
    reader,
    { maxSteps: steps, ...runs[kind].given, out },
    {
      observe: (event) => {
        if (event.event === "warning") warnings.push(event.message)
        if (event.event !== "step") return
        last.loss = event.loss
        last.targetEntropy = event.metrics["targetEntropy"] ?? Number.NaN
      },
      ...(kind === "severed" ? { plant: silenced } : {}),
    },
  )
  const at = (metrics: typeof before, name: string): number => metrics?.[name] ?? Number.NaN
  return {
    recallBefore: at(before, "recall@1"),
    recall: at(after, "recall@1"),
    nllBefore: at(before, "retrieved.nll"),
    nll: at(after, "retrieved.nll"),
    ...last,
    warnings,
    seconds: Math.round(seconds),
  }
}

const resultOf = (known: ReadonlyMap<string, Figures>): ExperimentResult => {
  const found = pieces.flatMap(({ name, run: kind }) =>
    known.has(name) ? [{ name, kind, figures: known.get(name)! }] : [],
  )
  const holds = found.flatMap(({ name, kind, figures }) =>
    Object.entries(bars[kind](figures)).map(([sentence, holds]) => [`${name}: ${sentence}`, holds] as const),
  )
  return {
    settings: { ...manners, seeds, steps, k: 16, batchSize: 16, pieces: `${found.length} of ${pieces.length}` },
    figures: Object.fromEntries(found.map(({ name, figures }) => [name, figures])),
    holds: Object.fromEntries(holds),
  }
}

type Bars = (figures: Figures) => Readonly<Record<string, boolean>>
const learns: Bars = ({ recallBefore, recall }) => ({
  "recall@1 is at most 0.2 before and at least 0.8 after": recallBefore <= 0.2 && recall >= 0.8,
})
const fails: Bars = ({ recall }) => ({ "recall@1 is at most 0.2 after": recall <= 0.2 })
const said = ({ warnings }: Figures, words: RegExp): boolean => warnings.some((message) => words.test(message))

const bars: Readonly<Record<Run, Bars>> = {
  "lm-retriever, renewed": learns,
  "the same, answers of 14 tokens": learns,
  "retriever-lm, fixed": ({ recall, recallBefore }) => ({
    "recall@1 rises by at least 0.05": recall - recallBefore >= 0.05,
  }),
  "retriever-lm, renewed, passages that state nothing": (figures) => ({
    ...fails(figures),
    "it is said that the retriever flees": said(figures, /flees/),
  }),
  "prob, answers of 14 tokens, flat targets too": (figures) => ({
    ...fails(figures),
    "it is said that probabilities underflow": said(figures, /underflows/),
  }),
  severed: fails,
}
