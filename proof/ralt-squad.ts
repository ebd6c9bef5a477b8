// The real SmolLM2-135M-Instruct as a reader: adapters trained on a thousand questions of SQuAD with the passages that MiniLM
// finds, against the model as it comes and against the same loop in transformers and PEFT.
// `npm run proof -- ralt-squad [PAIRS QUESTIONS]`; $TANDEM_MODELS holds all-MiniLM-L6-v2 and SmolLM2-135M-Instruct,
// $TANDEM_DATA SQuAD; without `npm run bench:peers` the peer is left out. What was killed goes on where it was, from runs/; a
// piece that proof/ralt-squad.json holds (the model before, ours, the peer's) is not computed again, on another machine either.
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type AnswerReport, compareAnswers } from "@tandem/evals"
import type { LanguageModel } from "@tandem/models"
import { loadGenerator } from "@tandem/objectives/node/LoadGenerator"
import { readMetrics } from "@tandem/runs/node/MetricsFile"
import { runPaths } from "@tandem/runs/node/RunFolder"
import type { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Schema } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { root } from "../scripts/support/Workspace.ts"
import {
  type AnswersFound,
  answerInto,
  answersIn,
  answersOf,
  answerValues,
  firstAnswers,
  type ShownPassage,
  shownPassages,
} from "./support/AnswerFile.ts"
import { folderOf } from "./support/DprProof.ts"
import { compareEvaluators, trainPeer, withPeftAdapter } from "./support/PeftPeer.ts"
import { type PerQuestion, packed, recordedSystems } from "./support/Pieces.ts"
import {
  type ReaderMaterial,
  readerMaterial,
  readerSettings,
  squadFolder,
  trainSquadReader,
} from "./support/SquadReader.ts"

/** How far the trained reader may stay behind the peer's. */
const margin = 0.02

/** What is measured one after another. */
const pieces = ["before", "ours", "evaluators", "peer"] as const
type Piece = (typeof pieces)[number]

export async function run({ args, log, keep }: ExperimentContext): Promise<ExperimentResult> {
  const [pairs = 1000, questions = 300] = args.map(Number)
  const models = folderOf("TANDEM_MODELS", "SmolLM2-135M-Instruct")
  const base = join(models, "SmolLM2-135M-Instruct")
  const work = squadFolder(root, { pairs, questions })
  mkdirSync(work, { recursive: true })
  const folders = {
    work,
    squad: join(folderOf("TANDEM_DATA", "squad"), "squad"),
    encoder: join(models, "all-MiniLM-L6-v2"),
    generator: base,
  }
  const material = await Effect.runPromise(readerMaterial(folders, { pairs, questions }, log))
  const settings = settingsOf(material)
  const found = new Map(recordedSystems(join(root, "proof/ralt-squad.json"), settings))
  const device = layer({ device: "cpu", threads: readerSettings.threads })
  const answers = async <E>(name: string, model: Effect.Effect<LanguageModel, E, Runtime>): Promise<PerQuestion> => {
    const file = join(work, `answers-${name}.jsonl`)
    log(`answers: ${name}`)
    const asked = { questions: material.dev, prompts: material.prompts }
    await Effect.runPromise(answerInto(file, model, asked, log).pipe(Effect.provide(device)))
    return answerValues(answersIn(file, material.dev))
  }
  const sides = { base, root, folder: join(work, "evaluated") }
  const measured: Record<Piece, () => Promise<PerQuestion | undefined>> = {
    before: () => answers("before", Effect.succeed(material.model)),
    ours: async () => {
      const reader = await trainSquadReader(work, base, material, log)
      const { metrics, report } = runPaths(reader)
      const rows = (await Effect.runPromise(readMetrics(metrics))).filter(Schema.is(StepRow))
      const { peakMemoryMiB } = Schema.decodeUnknownSync(Schema.fromJsonString(Report))(readFileSync(report, "utf8"))
      const trained = trainingValues(rows, peakMemoryMiB)
      const ours = Effect.map(loadGenerator(reader, { seed: 0, texts: () => [] }), ({ model }) => model)
      return { ...trained, ...(await answers("after", ours)) }
    },
    evaluators: async () => {
      const file = join(work, "answers-before.jsonl")
      if (!existsSync(file)) await answers("before", Effect.succeed(material.model))
      return compareEvaluators(sides, firstAnswers(file, { ...material, questions: material.dev }, 20))
    },
    peer: async () => {
      const folder = join(work, "peer")
      const peer = await Effect.runPromise(trainPeer({ ...sides, folder }, material, log).pipe(Effect.provide(device)))
      if (peer === undefined) return undefined
      const tuned = withPeftAdapter(material.model, join(folder, "adapter"), material)
      return {
        ...trainingValues(peer, Math.max(...peer.map(({ peakMemoryMiB }) => peakMemoryMiB))),
        ...(await answers("peer", tuned)),
      }
    },
  }
  for (const piece of pieces) {
    if (found.has(piece)) continue
    const values = await measured[piece]()
    if (values === undefined) continue
    found.set(piece, values)
    await keep(resultOf(material, found))
  }
  return resultOf(material, found)
}

const Report = Schema.Struct({ peakMemoryMiB: Schema.Number })
const StepRow = Schema.Struct({ loss: Schema.Number, lr: Schema.Number, seconds: Schema.Number })

/** Steps of a training as a record holds them. */
const trainingValues = (
  steps: readonly { readonly loss: number; readonly lr: number; readonly seconds: number }[],
  peakMemoryMiB: number,
): PerQuestion => ({
  "step.loss": steps.map(({ loss }) => loss),
  // Rates are small: of a millionth.
  "step.lr": steps.map(({ lr }) => lr * 1e6),
  "step.seconds": steps.map(({ seconds }) => seconds),
  peakMemoryMiB: [Math.round(peakMemoryMiB)],
})

const settingsOf = ({ train, dev }: ReaderMaterial) => ({
  model: "SmolLM2-135M-Instruct, from weights of 4 bits (Q4_1) as fp32",
  retriever: "all-MiniLM-L6-v2 as it comes, exact search among the paragraphs of the set's own articles",
  data: "SQuAD v1.1, drawn from 44 training and 24 development articles",
  pairs: train.length,
  questions: dev.length,
  shown:
    "one passage in a prompt: the best of those that were found, or the question's own paragraph; the question first",
  ...readerSettings,
  peer: "bench/peers/ralt-squad.py, begun with the same adapters, the same batches in the same order",
  times: "of a machine that did other work as well: no measurement of speed",
})

function resultOf(material: ReaderMaterial, pieces: ReadonlyMap<string, PerQuestion>): ExperimentResult {
  const answers = (piece: Piece): AnswersFound | undefined => {
    const values = pieces.get(piece)
    return values && answersOf(values, material.dev)
  }
  const [before, ours, peer] = [answers("before"), answers("ours"), answers("peer")]
  const overBefore = before && ours && differences(ours, before)
  const overPeer = ours && peer && differences(ours, peer)
  const holds: Record<string, boolean> = {}
  if (overBefore !== undefined)
    for (const shown of shownPassages) {
      holds[`${shown}: the answers' nats a token fall (95 %)`] = (overBefore[shown].nll?.high ?? 0) < 0
      holds[`${shown}: exact match rises (95 %)`] = (overBefore[shown].exactMatch?.low ?? 0) > 0
    }
  if (overPeer !== undefined)
    for (const shown of shownPassages) {
      holds[`${shown}: at most ${margin} nats a token above the peer`] = (overPeer[shown].nll?.estimate ?? 1) <= margin
      holds[`${shown}: exact match at most ${margin} below the peer`] =
        (overPeer[shown].exactMatch?.estimate ?? -1) >= -margin
    }
  const evaluators = pieces.get("evaluators")
  const [ourSteps, peerSteps] = [pieces.get("ours"), pieces.get("peer")]
  return {
    settings: settingsOf(material),
    figures: {
      retrieval: material.retrieval,
      before: answered(before),
      ours: { train: trained(ourSteps), answers: answered(ours), minusBefore: overBefore ?? notYet },
      peer: { train: trained(peerSteps), answers: answered(peer), oursMinusPeer: overPeer ?? notYet },
      evaluatorsOnTheModelAsItComes:
        evaluators === undefined
          ? notYet
          : Object.fromEntries(Object.entries(evaluators).map(([name, [value]]) => [name, value])),
      losses: ourSteps === undefined || peerSteps === undefined ? notYet : compared(ourSteps, peerSteps),
      perQuestion: Object.fromEntries([...pieces].map(([piece, values]) => [piece, packed(values)])),
    },
    holds,
    ...(peer === undefined ? {} : { versions: pinnedPeers() }),
  }
}

const notYet = "not yet run"

/** What `npm run bench:peers` installs of what the peer stands on. */
const pinnedPeers = () => {
  const pins = readFileSync(join(root, "bench/peers/requirements.txt"), "utf8").split("\n")
  return Object.fromEntries(
    pins.flatMap((line) => {
      const [name = "", version] = line.split("==")
      return version !== undefined && ["torch", "transformers", "peft"].includes(name) ? [[name, version]] : []
    }),
  )
}

const differences = (a: AnswersFound, b: AnswersFound) => {
  const of = (shown: ShownPassage) => compareAnswers(a.reports[shown], b.reports[shown])
  return { retrieved: of("retrieved"), gold: of("gold") }
}

const answered = (found: AnswersFound | undefined) => {
  if (found === undefined) return notYet
  const of = ({ metrics, intervals }: AnswerReport) => ({ metrics, intervals })
  return { retrieved: of(found.reports.retrieved), gold: of(found.reports.gold), seconds: Math.round(found.seconds) }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const mean = (values: readonly number[]): number => sum(values) / values.length

const trained = (values: PerQuestion | undefined) => {
  if (values === undefined) return notYet
  const { "step.loss": losses = [], "step.seconds": seconds = [], peakMemoryMiB = [] } = values
  return {
    steps: losses.length,
    seconds: Math.round(sum(seconds)),
    peakMemoryMiB: peakMemoryMiB[0],
    lossOfFirstTenSteps: mean(losses.slice(0, 10)),
    lossOfLastTenSteps: mean(losses.slice(-10)),
  }
}

/** How far the losses and rates of two runs lie apart, step by step. */
const compared = (ours: PerQuestion, peer: PerQuestion) => {
  const apart = (name: string) =>
    (ours[name] ?? []).map((value, step) => Math.abs(value - (peer[name]?.[step] ?? Number.NaN)))
  const losses = apart("step.loss")
  return {
    firstStep: losses[0],
    largest: Math.max(...losses),
    mean: mean(losses),
    largestOfRates: Math.max(...apart("step.lr")) / 1e6,
  }
}
