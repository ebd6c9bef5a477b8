// A task that only a working LSR trainer solves: eight passages on each topic state eight values, each in a manner of its own,
// and a question asks for one manner. A frozen reader that copies values tells which passage that is, and nobody else does.
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { LsrSettings } from "@tandem/dual"
import { lsrRun } from "@tandem/dual/lsr/TrainLsr"
import { Random } from "@tandem/random"
import type { RunReport } from "@tandem/runs"
import { trainRun } from "@tandem/runs/node/TrainRun"
import { Effect, Schema } from "effect"
import { common, planted, saveTaskModels, type TaskOptions, type TaskWorld, words, writeRows } from "./TaskWorld.ts"

/** How large the world is and how its reader learns. */
export interface LsrTask {
  readonly seed: number
  readonly topics: number
  readonly hidden: number
  readonly readerSteps: number
  /** Whether values stand among ten words of phrasing that no passage tells: answers of 14 tokens in place of 3. */
  readonly long?: boolean
  /** Four of the passages on a topic state no value at all, and the questions ask for the four others. */
  readonly idle?: boolean
}

/** 768 passages. */
export const manners: Omit<LsrTask, "seed"> = { topics: 96, hidden: 128, readerSteps: 500 }

const statements = [
  ["today {a} of {e} is {v}", "{e} keeps {v} as {a}"],
  ["once {a} of {e} was {v}", "{e} had {v} for {a}"],
  ["rumour gives {e} {v} as {a}", "they whisper {v} , {a} of {e}"],
  ["soon {a} of {e} becomes {v}", "{e} awaits {v} for {a}"],
  ["north folk say {v} {a} of {e}", "up north {e} holds {v} {a}"],
  ["never was {v} {a} of {e}", "{e} denies {v} {a}"],
  ["by law {e} owes {v} as {a}", "courts gave {e} {v} {a}"],
  ["dreams show {e} {v} {a}", "{a} {v} dreamt {e}"],
]
const idle = [
  "nobody saw {a} of {e} yet",
  "a song about {e} and {a}",
  "{a} of {e} stays secret",
  "why does {e} need {a}",
]
const questions = ["ko ka", "lo la", "mo ma", "ro ra", "po pa", "no nu", "so su", "to tu"].map((pair) => {
  const [before, between] = pair.split(" ")
  return [`${before} {a} {e}`, `{e} ${between} {a}`]
})

const [parts, attributes, syllables, phrases] = [12, 8, 120, 8]

interface Topic {
  readonly name: string
  readonly attribute: string
}

const wordsOf = (sentences: readonly (readonly string[])[]): readonly string[] =>
  sentences.flat().flatMap((sentence) => sentence.split(" ").filter((word) => !word.startsWith("{")))

/** Writes a world into a folder. */
export const writeLsrWorld = async (folder: string, task: LsrTask): Promise<TaskWorld> => {
  mkdirSync(folder, { recursive: true })
  const random = Random.fromSeed(task.seed).derive("lsr task")
  const all = words("na", parts).flatMap((first) =>
    words("nb", parts).flatMap((last) =>
      words("at", attributes).map((attribute): Topic => ({ name: `${first} ${last}`, attribute })),
    ),
  )
  const shuffled = random.derive("topics").shuffle(all)
  const [topics, others] = [shuffled.slice(0, task.topics), shuffled.slice(task.topics)]
  const drawn = random.derive("draws")
  const value = (): string => `va${drawn.integer(syllables)} vb${drawn.integer(syllables)}`
  const fill = (wordings: readonly string[], { name, attribute }: Topic, v = ""): string =>
    drawn.choice(wordings).replace("{e}", name).replace("{a}", attribute).replace("{v}", v)
  const answer = (v: string, long = task.long ?? false): string => {
    if (!long) return v
    const phrase = Array.from({ length: 10 }, () => `st${drawn.integer(phrases)}`)
    return [...phrase.slice(0, 5), "namely", v, ...phrase.slice(5)].join(" ")
  }
  const known = task.idle === true ? statements.slice(0, idle.length) : statements
  const stated = topics.flatMap((topic, index) =>
    known.map((wordings, manner) => {
      const v = value()
      return { index, topic, manner, v, id: `p${index}-${manner}`, text: fill(wordings, topic, v) }
    }),
  )
  const held = Math.floor(topics.length / 3)
  const asked = (copy: number, { id, topic, manner, v }: (typeof stated)[number]) => ({
    id: `${id}-${copy}`,
    query: fill(questions[manner]!, topic),
    answers: [answer(v)],
    positives: [id],
  })
  // A third of the passages that the reader sees state another value, or none: it copies, and does not know.
  const staged = Array.from({ length: 64 * task.readerSteps }, (_, index) => {
    const [topic, manner, v] = [drawn.choice(others), drawn.integer(known.length), value()]
    const shown = (): string => {
      if (drawn.chance(0.7)) return fill(statements[manner]!, topic, v)
      return task.idle === true ? fill(idle, topic) : fill(statements[manner]!, topic, value())
    }
    return {
      id: `r${index}`,
      query: fill(questions[manner]!, topic),
      answers: [answer(v, (task.long ?? false) && index >= 32 * task.readerSteps)],
      positives: [{ id: `rp${index}`, text: shown() }],
    }
  })
  const sentences = [...statements, idle, ...questions]
  const vocabulary = [...new Set(["ctx", "ans", "namely", ...wordsOf(sentences)])]
  const models = await saveTaskModels(folder, task, [
    ...vocabulary,
    ...["na", "nb"].flatMap((prefix) => words(prefix, parts)),
    ...words("at", attributes),
    ...["va", "vb"].flatMap((prefix) => words(prefix, syllables)),
    ...words("st", phrases),
  ])
  return {
    folder,
    train: writeRows(
      folder,
      "train.jsonl",
      stated.filter(({ index }) => index >= held).flatMap((one) => [0, 1, 2].map((copy) => asked(copy, one))),
    ),
    dev: writeRows(
      folder,
      "dev.jsonl",
      stated.filter(({ index }) => index < held).map((one) => asked(0, one)),
    ),
    corpus: writeRows(folder, "corpus.jsonl", [
      ...stated.map(({ id, text }) => ({ id, text })),
      ...(task.idle === true
        ? topics.flatMap((topic, index) =>
            idle.map((wording, place) => ({ id: `p${index}-idle-${place}`, text: fill([wording], topic) })),
          )
        : []),
    ]),
    reader: { data: writeRows(folder, "reader.jsonl", staged) },
    ...models,
  }
}

/** The retriever taught by a reader of the world. */
export const teachTask = async (
  world: TaskWorld,
  generator: string,
  given: Readonly<Record<string, unknown>>,
  { observe = () => {}, plant = (program) => program }: TaskOptions = {},
): Promise<RunReport> => {
  const settings = Schema.decodeUnknownSync(LsrSettings)({
    ...{ ...common, data: [world.train], dev: [world.dev], corpus: world.corpus, model: world.encoder, generator },
    ...{ maxLength: 16, temperature: 0.05, lmTemperature: 0.1, k: 16, batchSize: 16, epochs: 100 },
    ...{ lr: 1e-3, saveEvery: 10_000, evalEvery: 10_000, scoreCache: join(world.folder, "scores.jsonl") },
    ...given,
  })
  const run = lsrRun(settings, { observe: (event) => Effect.sync(() => observe(event)) })
  return Effect.runPromise(trainRun({ ...run, plan: (prepared) => Effect.map(run.plan(prepared), planted(plant)) }))
}
