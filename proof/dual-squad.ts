// The real MiniLM and SmolLM2-135M-Instruct, each taught by the other: rounds of the reader on what the retriever finds, then
// the retriever by what makes answers likely, on questions and answers of SQuAD without passages.
// `npm run proof -- dual-squad [PAIRS QUESTIONS ROUNDS]`; $TANDEM_MODELS holds all-MiniLM-L6-v2 and SmolLM2-135M-Instruct,
// $TANDEM_DATA SQuAD. What was killed goes on where it was: halves, steps and scores lie in runs/.
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DualSettings, trainDual } from "@tandem/dual"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { makePrompts } from "@tandem/generator"
import { openLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import { usualTemplate } from "@tandem/objectives/generator/ReadGenerator"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Schema } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { folderOf } from "./support/DprProof.ts"
import { drawQuestions, encoderAsRun, lines } from "./support/SquadReader.ts"

/** How both halves are trained, in each round. */
const halves = {
  k: 2,
  maxPrompt: 256,
  maxAnswer: 32,
  seed: 0,
  threads: 2,
  ralt: { batchSize: 4, lr: 2e-4, lora: "16:32" },
  lsr: { k: 4, batchSize: 16, lr: 2e-5, epochs: 3, direction: "lm-retriever", lmTemperature: 0.1 },
} as const

export async function run({ args, root, log }: ExperimentContext): Promise<ExperimentResult> {
  const [pairs = 300, questions = 100, rounds = 2] = args.map(Number)
  const models = folderOf("TANDEM_MODELS", "SmolLM2-135M-Instruct")
  const generator = join(models, "SmolLM2-135M-Instruct")
  const squad = join(folderOf("TANDEM_DATA", "squad"), "squad")
  const work = join(root, "runs", `dual-squad-${pairs}-${questions}`)
  mkdirSync(work, { recursive: true })
  const model = await Effect.runPromise(openLanguageModel(generator))
  const prompts = makePrompts(model, { ...halves, template: usualTemplate(model) })
  const files = async (name: "train" | "dev", count: number) => {
    const drawn = await Effect.runPromise(drawQuestions(join(squad, `${name}.json`), count, prompts))
    // The gold paragraphs of training questions stay unknown to the run.
    const rows = drawn.questions.map(({ positives, ...row }) => (name === "dev" ? { ...row, positives } : row))
    await writeWhole(join(work, `${name}.jsonl`), lines(rows))
    return drawn.passages
  }
  const passages = [...(await files("train", pairs)), ...(await files("dev", questions))]
  await writeWhole(join(work, "corpus.jsonl"), lines(passages))
  const retriever = join(work, "retriever")
  if (!existsSync(runPaths(retriever).config))
    await Effect.runPromise(encoderAsRun(join(models, "all-MiniLM-L6-v2"), retriever))
  const out = join(work, "run")
  const settings = Schema.decodeUnknownSync(DualSettings)({
    ...{ data: [join(work, "train.jsonl")], dev: [join(work, "dev.jsonl")], corpus: join(work, "corpus.jsonl") },
    ...{ retriever, generator, out, rounds, answers: questions, resume: existsSync(runPaths(out).config) },
    ...halves,
  })
  const { rows } = await Effect.runPromise(
    trainDual(settings, { observe: (event) => Effect.sync(() => told(event, log)) }),
  )
  const halvesOf = (trained: "reader" | "retriever") => rows.filter((row) => row.trained === trained)
  const falls = (metric: string) => (row: (typeof rows)[number]) => (row.change?.[metric]?.high ?? 0) < 0
  const [first, last] = [rows[0]?.metrics, rows.at(-1)?.metrics]
  return {
    settings: {
      retriever: "all-MiniLM-L6-v2 as it comes; the query encoder learns",
      reader: "SmolLM2-135M-Instruct, from weights of 4 bits (Q4_1) as fp32, with LoRA",
      data: "SQuAD v1.1, drawn from 44 training and 24 development articles; no passage labels in training",
      ...{ pairs, questions, rounds, passages: passages.length },
      ...halves,
      times: "of a machine that did other work as well: no measurement of speed",
    },
    figures: { rows, seconds: secondsOf(out, rounds) },
    holds: {
      "the table has each half of each round": rows.length === 1 + 2 * rounds,
      "round 1: the reader's answers become likelier with what is found (95 %)": halvesOf("reader")
        .slice(0, 1)
        .every(falls("retrieved.nll")),
      "after all rounds answers with what is found are likelier than before":
        (last?.["retrieved.nll"] ?? Number.NaN) < (first?.["retrieved.nll"] ?? Number.NaN),
      "each retriever moved": halvesOf("retriever").every(({ change }) =>
        Object.values(change ?? {}).some(({ estimate }) => estimate !== 0),
      ),
    },
  }
}

/** Seconds that each half took. */
const secondsOf = (out: string, rounds: number): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Array.from({ length: rounds }, (_, at) => [`round-${at + 1}-reader`, `round-${at + 1}-retriever`])
      .flat()
      .map((name) => [name, Math.round(JSON.parse(readFileSync(runPaths(join(out, name)).report, "utf8")).seconds)]),
  )

let lastTold = 0

function told(event: Parameters<Parameters<typeof trainDual>[1]["observe"]>[0], log: (line: string) => void): void {
  if (event.event === "step" && event.step % 10 === 0)
    log(`step ${event.step}: loss ${event.loss.toFixed(4)}, ${event.seconds.toFixed(1)} s`)
  if (event.event === "eval") log(`step ${event.step}: ${JSON.stringify(event.metrics)}`)
  if (event.event === "warning") log(event.message)
  if (event.event === "phase" && event.done !== undefined && Date.now() - lastTold > 20_000) {
    lastTold = Date.now()
    log(`${event.name}: ${event.done} of ${event.total}`)
  }
}
