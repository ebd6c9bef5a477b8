// The real SmolLM2-135M-Instruct as a reader: adapters trained on a thousand questions of SQuAD with the passages that MiniLM
// finds, against the model as it comes and against the same loop in transformers and PEFT.
// `npm run proof -- ralt-squad [PAIRS QUESTIONS]`; $TANDEM_MODELS holds all-MiniLM-L6-v2 and SmolLM2-135M-Instruct,
// $TANDEM_DATA SQuAD; without `npm run bench:peers` the peer is left out. What was killed goes on where it was: the run and
// all answers lie in runs/, and the record is written anew after each piece.
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { trainRalt } from "@tandem/dual"
import { raltTrainApp } from "@tandem/dual/TrainApp"
import { type AnswerReport, compareAnswers } from "@tandem/evals"
import type { LanguageModel } from "@tandem/models"
import { loadGenerator } from "@tandem/objectives/node/LoadGenerator"
import { decodeTrainSettings } from "@tandem/runs"
import { readMetrics } from "@tandem/runs/node/MetricsFile"
import { runPaths } from "@tandem/runs/node/RunFolder"
import type { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Schema } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import {
  type AnswersFound,
  answerInto,
  answersIn,
  firstAnswers,
  type ShownPassage,
  shownPassages,
} from "./support/AnswerFile.ts"
import { folderOf } from "./support/DprProof.ts"
import {
  compareEvaluators,
  type EvaluatorsApart,
  type PeerRun,
  trainPeer,
  withPeftAdapter,
} from "./support/PeftPeer.ts"
import { type ReaderMaterial, readerMaterial, readerSettings } from "./support/SquadReader.ts"

/** How far the trained reader may stay behind the peer's. */
const margin = 0.02

/** All that is known so far. */
interface Found {
  readonly material: ReaderMaterial
  readonly trained?: TrainedRun
  readonly peer?: PeerRun
  readonly before?: AnswersFound
  readonly after?: AnswersFound
  readonly peers?: AnswersFound
  readonly apart?: EvaluatorsApart
}

export async function run({ args, root, log, keep }: ExperimentContext): Promise<ExperimentResult> {
  const [pairs = 1000, questions = 300] = args.map(Number)
  const models = folderOf("TANDEM_MODELS", "SmolLM2-135M-Instruct")
  const base = join(models, "SmolLM2-135M-Instruct")
  const work = join(root, "runs", `ralt-squad-${pairs}-${questions}`)
  mkdirSync(work, { recursive: true })
  const folders = {
    work,
    squad: join(folderOf("TANDEM_DATA", "squad"), "squad"),
    encoder: join(models, "all-MiniLM-L6-v2"),
    generator: base,
  }
  const material = await Effect.runPromise(readerMaterial(folders, { pairs, questions }, log))
  let found: Found = { material }
  const add = async (more: Partial<Found>): Promise<void> => {
    found = { ...found, ...more }
    await keep(resultOf(found))
  }
  const device = layer({ device: "cpu", threads: readerSettings.threads })
  const answers = async <E>(name: string, model: Effect.Effect<LanguageModel, E, Runtime>): Promise<AnswersFound> => {
    const file = join(work, `answers-${name}.jsonl`)
    log(`answers: ${name}`)
    const asked = { questions: material.dev, prompts: material.prompts }
    await Effect.runPromise(answerInto(file, model, asked, log).pipe(Effect.provide(device)))
    return answersIn(file, material.dev)
  }
  const reader = join(work, "reader")
  await add({ before: await answers("before", Effect.succeed(material.model)) })
  await add({ trained: await trainOurs(reader, base, material, log) })
  const ours = Effect.map(loadGenerator(reader, { seed: 0, texts: () => [] }), ({ model }) => model)
  await add({ after: await answers("after", ours) })
  const sides = { base, root, folder: join(work, "evaluated") }
  const first = firstAnswers(join(work, "answers-before.jsonl"), { ...material, questions: material.dev }, 20)
  const apart = await compareEvaluators(sides, first)
  if (apart !== undefined) await add({ apart })
  const folder = join(work, "peer")
  const peer = await Effect.runPromise(trainPeer({ ...sides, folder }, material, log).pipe(Effect.provide(device)))
  if (peer !== undefined) {
    await add({ peer })
    await add({ peers: await answers("peer", withPeftAdapter(material.model, join(folder, "adapter"), material)) })
  }
  return resultOf(found)
}

/** What training came to. */
interface TrainedRun {
  readonly steps: readonly { readonly loss: number; readonly lr: number; readonly seconds: number }[]
  readonly peakMemoryMiB: number
}

const Report = Schema.Struct({ status: Schema.String, peakMemoryMiB: Schema.Number })
const StepRow = Schema.Struct({ loss: Schema.Number, lr: Schema.Number, seconds: Schema.Number })

async function trainOurs(
  out: string,
  generator: string,
  { trainFile }: ReaderMaterial,
  log: (line: string) => void,
): Promise<TrainedRun> {
  const paths = runPaths(out)
  const report = () => Schema.decodeUnknownSync(Schema.fromJsonString(Report))(readFileSync(paths.report, "utf8"))
  if (!existsSync(paths.report) || report().status !== "completed") {
    const settings = decodeTrainSettings(raltTrainApp, {
      ...readerSettings,
      ...{ data: trainFile, generator, out, saveAdapters: true, saveEvery: 5, resume: existsSync(paths.config) },
    })
    const observe: Parameters<typeof trainRalt>[1]["observe"] = (event) =>
      Effect.sync(() => {
        if (event.event === "step")
          log(`step ${event.step}: loss ${event.loss.toFixed(4)}, ${event.seconds.toFixed(1)} s`)
        if (event.event === "warning") log(event.message)
      })
    await Effect.runPromise(Effect.flatMap(settings, (decoded) => trainRalt(decoded, { observe })))
  }
  const rows = await Effect.runPromise(readMetrics(paths.metrics))
  const steps = rows.filter(Schema.is(StepRow)).map(({ loss, lr, seconds }) => ({ loss, lr, seconds }))
  return { steps, peakMemoryMiB: report().peakMemoryMiB }
}

function resultOf(found: Found): ExperimentResult {
  const { material, trained, peer, before, after, peers, apart } = found
  const { train, dev, retrieval } = material
  const overBefore = before && after && differences(after, before)
  const overPeer = after && peers && differences(after, peers)
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
  return {
    settings: {
      model: "SmolLM2-135M-Instruct, from weights of 4 bits (Q4_1) as fp32",
      retriever: "all-MiniLM-L6-v2 as it comes, exact search among the paragraphs of the set's own articles",
      data: "SQuAD v1.1, drawn from 44 training and 24 development articles",
      pairs: train.length,
      questions: dev.length,
      shown:
        "one passage in a prompt: the best of those that were found, or the question's own paragraph; the question first",
      ...readerSettings,
      times: "of a machine that did other work as well: no measurement of speed",
    },
    figures: {
      retrieval,
      train: trained === undefined ? notYet : trainedFigures(trained),
      before: answered(before),
      after: answered(after),
      afterMinusBefore: overBefore ?? notYet,
      peer: {
        script: "bench/peers/ralt-squad.py, begun with the same adapters, the same batches in the same order",
        train:
          peer === undefined
            ? notYet
            : trainedFigures({ ...peer, peakMemoryMiB: peer.steps.at(-1)?.peakMemoryMiB ?? 0 }),
        after: answered(peers),
        oursMinusPeer: overPeer ?? notYet,
        evaluatorsOnTheModelAsItComes: apart ?? notYet,
        losses: peer === undefined || trained === undefined ? notYet : compared(trained, peer),
      },
    },
    holds,
    ...(peer === undefined ? {} : { versions: peer.versions }),
  }
}

const notYet = "not yet run"

const differences = (a: AnswersFound, b: AnswersFound) => {
  const of = (shown: ShownPassage) => compareAnswers(a.reports[shown], b.reports[shown])
  return { retrieved: of("retrieved"), gold: of("gold") }
}

const answered = (found: AnswersFound | undefined) => {
  if (found === undefined) return notYet
  const of = ({ metrics, intervals }: AnswerReport) => ({ metrics, intervals })
  return { retrieved: of(found.reports.retrieved), gold: of(found.reports.gold), seconds: Math.round(found.seconds) }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

const trainedFigures = ({ steps, peakMemoryMiB }: TrainedRun) => ({
  steps: steps.length,
  seconds: Math.round(steps.reduce((sum, { seconds }) => sum + seconds, 0)),
  peakMemoryMiB: Math.round(peakMemoryMiB),
  lossOfFirstTenSteps: mean(steps.slice(0, 10).map(({ loss }) => loss)),
  lossOfLastTenSteps: mean(steps.slice(-10).map(({ loss }) => loss)),
})

/** How far the losses and rates of two runs lie apart, step by step. */
const compared = (ours: TrainedRun, peer: PeerRun) => {
  const apart = (value: (step: TrainedRun["steps"][number]) => number) =>
    ours.steps.map((step, index) => Math.abs(value(step) - value(peer.steps[index] ?? step)))
  return {
    firstStep: apart(({ loss }) => loss)[0],
    largest: Math.max(...apart(({ loss }) => loss)),
    mean: mean(apart(({ loss }) => loss)),
    largestOfRates: Math.max(...apart(({ lr }) => lr)),
  }
}
