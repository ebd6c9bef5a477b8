// A task that only a working joint trainer solves: facts about names in passages, questions about them in other words, and
// values that nothing but the right passage tells. Questions come without their passages.
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { DprSettings, trainDpr } from "@tandem/dpr"
import { JointSettings } from "@tandem/joint"
import { jointRun } from "@tandem/joint/TrainJoint"
import { Random } from "@tandem/random"
import type { RunReport } from "@tandem/runs"
import { trainRun } from "@tandem/runs/node/TrainRun"
import { Effect, Schema } from "effect"
import { common, planted, saveTaskModels, type TaskOptions, type TaskWorld, words, writeRows } from "./TaskWorld.ts"

/** How large the world is and how its models learn. */
export interface JointTask {
  readonly seed: number
  /** Names are pairs of so many first and second parts. */
  readonly parts: number
  /** Names that joint training knows facts of; the others are what reader and retriever learn on before. */
  readonly names: number
  readonly attributes: number
  /** Width of the encoders. */
  readonly hidden: number
  /** Whether the encoders' segment embeddings begin at zero. */
  readonly plainSegments?: boolean
  /** Steps of dense retrieval on other names before joint training; 0 for a random retriever. */
  readonly warmSteps: number
  readonly readerSteps: number
}

/** A retriever that has had five steps, and 1,024 passages. */
export const weakStart = { parts: 12, names: 128, attributes: 8, hidden: 128, warmSteps: 5, readerSteps: 400 }

interface Fact {
  readonly name: readonly [number, number]
  readonly attribute: number
  readonly value: string
}

const passageWordings = ["{a} of {e} is {v}", "{e} has {v} as {a}", "{v} serves {e} for {a}"]
const questionWordings = ["ko {a} mi {e}", "{e} ru {a}", "ko {e} mi {a}"]
/** Wordings that only evaluation questions have. */
const unseenWordings = ["{a} ru {e}", "ru {e} ko {a}"]
const values = 120

const fill = (wording: string, a: string, e: string, v = ""): string =>
  wording.replace("{a}", a).replace("{e}", e).replace("{v}", v)

/** Files of the task, and the folder of its untrained models. */
export interface JointWorld extends TaskWorld {
  readonly warm: { readonly data: string }
}

/** Writes a world into a folder: data of all stages, and two models with random weights for its words. */
export const writeJointWorld = async (folder: string, task: JointTask): Promise<JointWorld> => {
  const { seed, parts, names, attributes } = task
  mkdirSync(folder, { recursive: true })
  const random = Random.fromSeed(seed).derive("joint task")
  const pairs = words("", parts).flatMap((_, i) => words("", parts).map((__, j) => [i, j] as const))
  const shuffled = random.derive("names").shuffle(pairs)
  const main = shuffled.slice(0, names)
  const rest = shuffled.slice(names)
  const others = rest.length === 0 ? shuffled : rest
  const drawn = random.derive("draws")
  const fact = (name: readonly [number, number], attribute: number): Fact => ({
    name,
    attribute,
    value: `va${drawn.integer(values)} vb${drawn.integer(values)}`,
  })
  const passage = ({ name: [i, j], attribute, value }: Fact): string =>
    fill(drawn.choice(passageWordings), `pa${attribute}`, `pf${i} pl${j}`, value)
  const question = ({ name: [i, j], attribute }: Fact, wordings: readonly string[]): string =>
    fill(drawn.choice(wordings), `qa${attribute}`, `qf${i} ql${j}`)
  const write = (name: string, rows: readonly unknown[]): string => writeRows(folder, name, rows)
  const facts = main.flatMap((name) => Array.from({ length: attributes }, (_, each) => fact(name, each)))
  const held = facts.length / 4
  const train = facts.slice(held).flatMap((each, index) =>
    [0, 1, 2].map((copy) => ({
      id: `t${index}-${copy}`,
      query: question(each, questionWordings),
      answers: [each.value],
    })),
  )
  const asked = facts.slice(0, held).flatMap((each, index) =>
    [questionWordings, unseenWordings].map((wordings, kind) => ({
      id: `d${index}-${kind}`,
      query: question(each, wordings),
      answers: [each.value],
      positives: [`p${index}`],
    })),
  )
  const staged = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => {
      const each = fact(drawn.choice(others), drawn.integer(attributes))
      return {
        id: `${name}${index}`,
        query: question(each, questionWordings),
        answers: [each.value],
        positives: [{ id: `${name}p${index}`, text: passage(each) }],
      }
    })
  const { hidden, plainSegments = false } = task
  const models = await saveTaskModels(folder, { seed, hidden, plainSegments }, [
    ...["ctx", "ans", "of", "is", "has", "as", "serves", "for", "ko", "mi", "ru"],
    ...["pf", "pl", "qf", "ql"].flatMap((prefix) => words(prefix, parts)),
    ...["pa", "qa"].flatMap((prefix) => words(prefix, attributes)),
    ...["va", "vb"].flatMap((prefix) => words(prefix, values)),
  ])
  return {
    folder,
    train: write("train.jsonl", train),
    dev: write("dev.jsonl", drawn.sample(asked, Math.min(256, asked.length))),
    corpus: write(
      "corpus.jsonl",
      facts.map((each, index) => ({ id: `p${index}`, text: passage(each) })),
    ),
    reader: { data: write("reader.jsonl", staged("r", 64 * task.readerSteps)) },
    warm: { data: write("warm.jsonl", staged("w", 32 * Math.max(1, task.warmSteps))) },
    ...models,
  }
}

/** A retriever that has seen a few batches about other names. */
export const trainTaskRetriever = async (world: JointWorld, steps: number): Promise<string> => {
  if (steps === 0) return world.encoder
  const out = join(world.folder, "retriever")
  const settings = Schema.decodeUnknownSync(DprSettings)({
    ...{ threads: 1, data: [world.warm.data], model: world.encoder, batchSize: 32, maxSteps: steps, lr: 3e-3 },
    ...{ temperature: 0.1, schedule: "constant", warmup: 0.1, noIndex: true, maxLength: 16, out },
  })
  await Effect.runPromise(trainDpr(settings, { observe: () => Effect.void }))
  return out
}

/** Joint training on questions and answers alone. */
export const trainTask = async (
  world: JointWorld,
  models: { readonly retriever: string; readonly generator: string },
  given: Readonly<Record<string, unknown>>,
  { observe = () => {}, plant = (program) => program }: TaskOptions = {},
): Promise<RunReport> => {
  const named = models.retriever === world.encoder ? { model: world.encoder } : { retriever: models.retriever }
  const settings = Schema.decodeUnknownSync(JointSettings)({
    ...{
      ...common,
      data: [world.train],
      dev: [world.dev],
      corpus: world.corpus,
      generator: models.generator,
      ...named,
    },
    ...{ template: world.template, maxLength: 16, temperature: 0.05, k: 8, batchSize: 16, answers: 256 },
    ...{ lr: { query: 1e-3, generator: 1e-4 }, saveEvery: 10_000, evalEvery: 10_000, out: join(world.folder, "joint") },
    ...given,
  })
  const run = jointRun(settings, { observe: (event) => Effect.sync(() => observe(event)) })
  return Effect.runPromise(trainRun({ ...run, plan: (prepared) => Effect.map(run.plan(prepared), planted(plant)) }))
}
