import { existsSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { renderReport } from "@tandem/report"
import { readUplot } from "@tandem/report/node/UplotFiles"
import { decodeTrainSettings, type RunOptions, type RunReport, SettingsError } from "@tandem/runs"
import { onDisk, readJson, writeJson, writeWhole } from "@tandem/runs/node/RunFiles"
import { holdLock, runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Option, Schema } from "effect"
import { evaluateRalt } from "../EvaluateRalt.ts"
import { lsrTrainApp } from "../lsr/LsrTrainApp.ts"
import { trainLsr } from "../lsr/TrainLsr.ts"
import { raltTrainApp } from "../TrainApp.ts"
import { trainRalt } from "../TrainRalt.ts"
import { dualPage } from "./DualPage.ts"
import { Changes, DualReport, type DualRow } from "./DualReport.ts"
import type { DualSettings } from "./DualSettings.ts"

/**
 * Trains the reader on what the retriever finds and the retriever by what helps the reader, round after round, and measures
 * the system after each half (RA-DIT is one round). Each half is a run folder of its own below `out`, `round-1-reader`,
 * `round-1-retriever` and so on, with its index; the table of all is `report.json`. With `resume` halves and evaluations that
 * are there are not done again.
 */
export const trainDual = Effect.fn("dual.train")((settings: DualSettings, options: RunOptions) =>
  Effect.scoped(rounds(settings, options)),
)

const rounds = Effect.fnUntraced(function* (settings: DualSettings, options: RunOptions) {
  const { out } = settings
  const { report: file, page, lock } = runPaths(out)
  if (existsSync(file) && !settings.resume) {
    return yield* new SettingsError({
      message: `${out} holds a run already`,
      file: out,
      field: "out",
      hint: "choose another folder, or go on with `resume`",
    })
  }
  yield* onDisk(out, () => mkdir(out, { recursive: true }))
  yield* holdLock(lock, "run folder")
  const config = yield* recorded(settings)
  const known = existsSync(file) ? yield* rowsOf(file) : []
  const rows: DualRow[] = []
  const write = Effect.fnUntraced(function* (report: DualReport) {
    yield* writeWhole(page, renderReport(dualPage(report, config), yield* onDisk(page, readUplot)))
    yield* writeJson(file, report)
  })
  /** The system that the next half of a reader begins with: it is measured there. */
  let waiting: Omit<DualRow, "metrics"> = { round: 0, trained: "nothing" }
  let system: System = { retriever: settings.retriever, generator: settings.generator }
  let found: Figures = {}
  const add = Effect.fnUntraced(function* (row: Omit<DualRow, "metrics">, metrics: Figures) {
    rows.push({ ...row, metrics: { ...found, ...metrics } })
    yield* write(reportOf(rows, "interrupted"))
  })
  for (let round = 1; round <= settings.rounds; round++) {
    const reader = join(out, `round-${round}-reader`)
    const read = yield* half(reader, readerHalf(settings, system, reader, options))
    yield* add(waiting, answers(read.before))
    yield* add({ round, trained: "reader", change: read.differences?.before ?? {} }, answers(read.after))
    system = { ...system, generator: reader }
    const retriever = join(out, `round-${round}-retriever`)
    const taught = yield* half(retriever, retrieverHalf(settings, system, retriever, options))
    if (round === 1) for (const [at, row] of rows.entries()) rows[at] = withFigures(row, retrieval(taught.before))
    system = { ...system, retriever }
    found = retrieval(taught.after)
    waiting = { round, trained: "retriever", change: taught.differences?.before ?? {} }
  }
  const before = known.find(({ round, trained }) => round === settings.rounds && trained === "retriever")
  yield* add(waiting, before?.metrics ?? (yield* evaluated(settings, system, options)))
  const report = reportOf(rows, "completed")
  yield* write(report)
  return report
})

/** Settings that may differ where a run goes on. */
const incidental = ["resume", "out", "rounds", "device", "threads"]

/** Records the settings, or compares those of a run that goes on: halves that are there were trained with them. */
const recorded = Effect.fnUntraced(function* (settings: DualSettings) {
  const { config: file } = runPaths(settings.out)
  const config = { format: 1, command: "dual train", settings }
  const before = existsSync(file) ? Schema.decodeUnknownOption(Recorded)(yield* readJson(file)) : Option.none()
  if (Option.isSome(before)) {
    const now: Readonly<Record<string, unknown>> = JSON.parse(JSON.stringify(settings))
    const was = before.value.settings
    const names = new Set([...Object.keys(was), ...Object.keys(now)])
    const changed = [...names].find(
      (name) => !incidental.includes(name) && JSON.stringify(was[name]) !== JSON.stringify(now[name]),
    )
    if (changed !== undefined) {
      return yield* new SettingsError({
        message: "a run goes on with the settings that it began with",
        file,
        field: changed,
        expected: JSON.stringify(was[changed] ?? null),
        found: JSON.stringify(now[changed] ?? null),
        hint: "begin again in another folder",
      })
    }
  }
  yield* writeJson(file, config)
  return config
})

const Recorded = Schema.Struct({
  command: Schema.Literal("dual train"),
  settings: Schema.Record(Schema.String, Schema.Unknown),
})

/** What is searched with, and what answers: run folders, or a model. */
interface System {
  readonly retriever: string
  readonly generator: string
}

type Figures = Readonly<Record<string, number>>

const withFigures = (row: DualRow, figures: Figures): DualRow => ({ ...row, metrics: { ...figures, ...row.metrics } })

const reportOf = (rows: readonly DualRow[], status: DualReport["status"]): DualReport => ({
  format: 1,
  command: "dual train",
  status,
  rows,
})

const rowsOf = Effect.fnUntraced(function* (file: string) {
  const report = Schema.decodeUnknownOption(DualReport)(yield* readJson(file))
  return Option.isSome(report) ? report.value.rows : []
})

/** Runs a half, goes on with one that was interrupted, or reads the report of one that is there. */
const half = Effect.fnUntraced(function* <E, R>(
  folder: string,
  train: (resume: boolean) => Effect.Effect<RunReport, E, R>,
) {
  const { report: file, config } = runPaths(folder)
  if (existsSync(file)) {
    const report = Schema.decodeUnknownOption(HalfReport)(yield* readJson(file))
    if (Option.isSome(report) && report.value.status === "completed") return report.value
  }
  return yield* train(existsSync(config))
})

const Metrics = Schema.Record(Schema.String, Schema.Number)
const HalfReport = Schema.Struct({
  status: Schema.String,
  before: Schema.optionalKey(Metrics),
  after: Schema.optionalKey(Metrics),
  differences: Schema.optionalKey(Schema.Struct({ before: Changes })),
})

const shared = ({ data, dev, corpus, format, seed, device, threads, maxPrompt, maxAnswer }: DualSettings) => ({
  ...{ data, dev, corpus, format, seed, device, threads, maxPrompt, maxAnswer },
})

const readerHalf =
  (settings: DualSettings, { retriever, generator }: System, out: string, options: RunOptions) =>
  (resume: boolean) =>
    Effect.flatMap(
      decodeTrainSettings(raltTrainApp, {
        ...{ ...shared(settings), template: settings.template, ...settings.ralt, retriever, generator },
        ...{ k: settings.k, answers: settings.answers, out, resume },
      }),
      (decoded) => trainRalt(decoded, options),
    )

const retrieverHalf =
  (settings: DualSettings, { retriever, generator }: System, out: string, options: RunOptions) =>
  (resume: boolean) =>
    Effect.flatMap(
      decodeTrainSettings(lsrTrainApp, {
        ...{ ...shared(settings), k: Math.max(2, settings.k), ...settings.lsr, retriever, generator, out, resume },
      }),
      (decoded) => trainLsr(decoded, options),
    )

/** Answers of a system: without passages, with random ones, with those that it finds and with the one that answers. */
const evaluated = Effect.fnUntraced(function* (
  settings: DualSettings,
  { retriever, generator }: System,
  options: RunOptions,
) {
  const { dev, corpus, format, template, maxPrompt, maxAnswer, k, answers, seed, device, threads } = settings
  const { variants } = yield* evaluateRalt(
    {
      ...{ data: dev, retriever, generator, kEval: [k], answers, seed, device },
      ...(corpus === undefined ? {} : { corpus }),
      ...(format === undefined ? {} : { format }),
      ...(template === undefined ? {} : { template }),
      ...(maxPrompt === undefined ? {} : { maxPrompt }),
      ...(maxAnswer === undefined ? {} : { maxAnswer }),
      ...(threads === undefined ? {} : { threads }),
    },
    options,
  )
  return Object.fromEntries(
    Object.entries(variants).flatMap(([variant, figures]) =>
      Object.entries(figures).map(([name, value]) => [`${variant}.${name}`, value] as const),
    ),
  )
})

/** The figures of retrieval in a half's report. */
const retrieval = (metrics: Figures = {}): Figures =>
  Object.fromEntries(Object.entries(metrics).filter(([name]) => /^(recall|answerRecall|mrr|ndcg)@/.test(name)))

/** The figures of answers in a half's report. */
const answers = (metrics: Figures = {}): Figures =>
  Object.fromEntries(Object.entries(metrics).filter(([name]) => name.includes(".")))
