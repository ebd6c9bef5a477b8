// A task that only a working RALT trainer solves: a reader that knows some facts by heart, copies what the one passage of a prompt
// states, and continues a text that is said again, learns to answer out of the right one of several passages and forgets
// nothing.
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { RaltSettings, trainRalt } from "@tandem/dual"
import { makeLocalGenerator } from "@tandem/generator"
import { evaluateVariants, type PreparedQuestion } from "@tandem/objectives"
import { openGenerator } from "@tandem/objectives/node/OpenGenerator"
import { Random } from "@tandem/random"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Schema } from "effect"
import { common, saveTaskDecoder, type TaskWorld, trainTaskReader, words, writeRows } from "./TaskWorld.ts"

/** How large the world is and how its reader learns. */
export interface RaltTask {
  readonly seed: number
  /** Names whose facts the reader knows by heart. */
  readonly known: number
  /** Names that training asks for. */
  readonly asked: number
  /** Names that evaluation alone asks for; in training they stand in misleading passages. */
  readonly held: number
  readonly attributes: number
  readonly values: number
  /** Passages of a prompt: the gold one and misleading ones. */
  readonly passages: number
  readonly readerSteps: number
  /** Steps of RALT. */
  readonly steps: number
}

/**
 * 128 facts by heart, three misleading passages. Among fewer words, or with shorter texts, the reader learns later to go on with
 * what was said before; without that it never learns to tell passages apart.
 */
export const misleading: Omit<RaltTask, "seed"> = {
  ...{ known: 32, asked: 128, held: 32, attributes: 4, values: 192, passages: 4 },
  ...{ readerSteps: 800, steps: 500 },
}

/** Files of the task, the folder of its untrained reader, and what evaluation asks. */
export interface RaltWorld extends Pick<TaskWorld, "folder" | "reader" | "decoder" | "template"> {
  /** Texts that say everything twice, and questions with the gold passage alone or about known facts. */
  readonly said: string
  /** Questions with their gold passage and misleading ones. */
  readonly asked: string
  /** Questions about known facts, without passages. */
  readonly known: string
  readonly dev: Readonly<Record<keyof Answers, readonly PreparedQuestion[]>>
}

/** Exact match with the gold passage alone, with it among misleading ones, and without passages. */
export interface Answers {
  readonly gold: number
  readonly misleading: number
  readonly closedBook: number
}

interface Fact {
  readonly name: string
  readonly attribute: string
  readonly value: string
}

const questionOf = ({ name, attribute }: Fact): string => `${attribute} ${name}`
const passageOf = (fact: Fact): string => `${questionOf(fact)} ${fact.value}`

const batchSize = 64
/** Shares of what the reader learns first. */
const first = { known: 0.3, said: 0.4 }
/** Share of RALT's examples that ask for known facts, and of the others those that show misleading passages. */
const [knownShare, distractorShare] = [0.25, 0.75]
/** Questions of each kind that evaluation asks. */
const devQuestions = 256

/** Writes a world into a folder. */
export const writeRaltWorld = async (folder: string, task: RaltTask): Promise<RaltWorld> => {
  mkdirSync(folder, { recursive: true })
  const random = Random.fromSeed(task.seed).derive("ralt task")
  const [attributes, values] = [words("at", task.attributes), words("va", task.values)]
  const names = random.derive("names").shuffle(words("na", task.known + task.asked + task.held))
  const others = names.slice(task.known)
  const [asked, held] = [others.slice(0, task.asked), others.slice(task.asked)]
  const drawn = random.derive("draws")
  const facts = names
    .slice(0, task.known)
    .flatMap((name) => attributes.map((attribute): Fact => ({ name, attribute, value: drawn.choice(values) })))
  const told = (from: readonly string[]): Fact => ({
    name: drawn.choice(from),
    attribute: drawn.choice(attributes),
    value: drawn.choice(values),
  })
  // Other names, most of them with what is asked for.
  const misleadingOf = ({ name, attribute, value }: Fact): readonly Fact[] => {
    const stated = drawn.sample(
      values.filter((each) => each !== value),
      task.passages - 1,
    )
    const about = drawn.sample(
      others.filter((each) => each !== name),
      task.passages - 1,
    )
    return stated.map((own, index) => ({
      name: about[index]!,
      attribute: drawn.chance(0.7) ? attribute : drawn.choice(attributes),
      value: own,
    }))
  }
  const many = <A>(count: number, make: (index: number) => A): readonly A[] =>
    Array.from({ length: Math.round(count) }, (_, index) => make(index))
  const row = (id: string, fact: Fact, passages: readonly Fact[]) => {
    const [positives, negatives] = [passages.slice(0, 1), passages.slice(1)].map((some, kind) =>
      some.map((each, place) => ({ id: `${id}-${kind}-${place}`, text: passageOf(each) })),
    )
    return { id, query: questionOf(fact), answers: [fact.value], positives, negatives }
  }
  const said = (): unknown => {
    const text = many(8 + drawn.integer(9), () => drawn.choice([...names, ...attributes, ...values]))
    const [begin = "", ...rest] = text
    return {
      segments: [
        { label: false, text: [...text, begin].join(" ") },
        { label: true, text: [...rest, "[SEP]"].join(" ") },
      ],
    }
  }
  const before = batchSize * task.readerSteps
  const after = batchSize * task.steps
  const recalled = (id: string) => row(id, drawn.choice(facts), [])
  const shown = (id: string) => {
    const fact = told(asked)
    return row(id, fact, [fact])
  }
  const prepared = (id: string, fact: Fact, passages: readonly Fact[]): PreparedQuestion => ({
    ...{ id, query: questionOf(fact), answer: fact.value, answers: [fact.value] },
    passages: passages.map((each, place) => ({
      ...{ id: `${id}-${place}`, text: passageOf(each), score: -place },
      ...(each === fact ? { gold: true } : {}),
    })),
  })
  const evaluated = many(devQuestions, () => told(held))
  const template = "ctx {context} ask {query} ans {response}"
  const vocabulary = ["ctx", "ask", "ans", ...names, ...attributes, ...values]
  return {
    folder,
    reader: {
      data: writeRows(folder, "reader.jsonl", [
        ...many(before * first.known, (index) => recalled(`k${index}`)),
        ...many(before * (1 - first.known - first.said), (index) => shown(`r${index}`)),
      ]),
    },
    said: writeRows(folder, "said.jsonl", many(before * first.said, said)),
    asked: writeRows(
      folder,
      "asked.jsonl",
      many(after * (1 - knownShare), (index) => {
        const fact = told(asked)
        return row(`q${index}`, fact, [fact, ...misleadingOf(fact)])
      }),
    ),
    known: writeRows(
      folder,
      "known.jsonl",
      many(after * knownShare, (index) => recalled(`c${index}`)),
    ),
    dev: {
      gold: evaluated.map((fact, index) => prepared(`g${index}`, fact, [fact])),
      misleading: evaluated.map((fact, index) =>
        prepared(`m${index}`, fact, drawn.shuffle([fact, ...misleadingOf(fact)])),
      ),
      closedBook: facts.map((fact, index) => prepared(`f${index}`, fact, [])),
    },
    ...(await saveTaskDecoder(folder, { seed: task.seed, layers: 2, template }, vocabulary)),
  }
}

/** The reader before RALT: it knows its facts, copies out of one passage and goes on with what was said before. */
export const trainRaltReader = (world: RaltWorld, { readerSteps }: RaltTask): Promise<string> =>
  trainTaskReader(world, readerSteps, { data: [world.reader.data, world.said] })

/** What RALT is given: everything, or a part of it that does not suffice. */
export const raltRuns = {
  both: { misleading: true, known: true },
  "gold alone": { misleading: false, known: false },
  "gold and known facts": { misleading: false, known: true },
  "misleading alone": { misleading: true, known: false },
} as const
export type RaltRun = keyof typeof raltRuns

/** The reader trained on questions with passages; answers with the folder of its run. */
export const trainRaltTask = async (
  world: RaltWorld,
  generator: string,
  { passages, steps }: RaltTask,
  kind: RaltRun,
): Promise<string> => {
  const given = raltRuns[kind]
  const out = join(world.folder, kind.replaceAll(" ", "-"))
  const settings = Schema.decodeUnknownSync(RaltSettings)({
    ...{ ...common, data: [world.asked, ...(given.known ? [world.known] : [])], passages: "data", generator },
    ...{ k: 1, passagesPerPrompt: given.misleading ? passages : 1, distractorShare },
    ...{ batchSize, epochs: 100, maxSteps: steps, lr: 1e-3, saveEvery: steps, out },
  })
  await Effect.runPromise(trainRalt(settings, { observe: () => Effect.void }))
  return out
}

/** What a reader answers to the questions of evaluation. */
export const raltAnswers = (world: RaltWorld, generator: string, { passages: k }: RaltTask): Promise<Answers> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { model, prompts } = yield* openGenerator({ generator }, { seed: 0, texts: () => [] })
        const reader = yield* makeLocalGenerator({ model })
        const exactMatch = Effect.fnUntraced(function* (kind: keyof Answers) {
          const questions = world.dev[kind]
          const asked = { questions, prompts, k, seed: 0, variants: ["retrieved"], written: questions.length } as const
          const { retrieved } = yield* evaluateVariants(reader, asked, () => {})
          return retrieved?.writing?.metrics["exactMatch"] ?? Number.NaN
        })
        return {
          gold: yield* exactMatch("gold"),
          misleading: yield* exactMatch("misleading"),
          closedBook: yield* exactMatch("closedBook"),
        }
      }),
    ).pipe(Effect.provide(layer({ threads: 1 }))),
  )
