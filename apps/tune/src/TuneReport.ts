import { existsSync } from "node:fs"
import { configFacts, outcomeFigures, outcomeSentence, type Report, renderReport, type Section } from "@tandem/report"
import { readUplot } from "@tandem/report/node/UplotFiles"
import type { RunReport } from "@tandem/runs"
import { onDisk, readJson, writeJson, writeWhole } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Option, Schema } from "effect"
import type { TunePlan } from "./Plan.ts"

const Metrics = Schema.Record(Schema.String, Schema.Number)
const Interval = Schema.Struct({
  ...{ estimate: Schema.Number, low: Schema.Number, high: Schema.Number },
  ...{ confidence: Schema.Number, n: Schema.Number },
})
const Intervals = Schema.Record(Schema.String, Interval)

const Finished = Schema.Struct({
  format: Schema.Literal(1),
  command: Schema.String,
  status: Schema.Literals(["completed", "interrupted", "diverged"]),
  ...{ steps: Schema.Number, seconds: Schema.Number, peakMemoryMiB: Schema.Number, device: Schema.String },
  savedStep: Schema.optionalKey(Schema.Number),
  baselines: Schema.optionalKey(Schema.Record(Schema.String, Metrics)),
  before: Schema.optionalKey(Metrics),
  after: Schema.optionalKey(Metrics),
  variants: Schema.optionalKey(Schema.Record(Schema.String, Metrics)),
  intervals: Schema.optionalKey(Intervals),
  differences: Schema.optionalKey(
    Schema.StructWithRest(Schema.Struct({ before: Intervals }), [Schema.Record(Schema.String, Intervals)]),
  ),
})

/** The report of a run that has ended well; undefined where there is none that can be read. */
export const finishedReport = Effect.fnUntraced(function* (run: string) {
  const { report: file } = runPaths(run)
  if (!existsSync(file)) return undefined
  const report: Option.Option<RunReport> = Schema.decodeUnknownOption(Finished)(yield* readJson(file))
  return Option.getOrUndefined(Option.filter(report, ({ status }) => status === "completed"))
})

/** Both halves of a system that was tuned. */
export interface TunedHalves {
  readonly plan: TunePlan
  readonly retriever: RunReport
  readonly reader: RunReport
}

/** Writes what came of both halves, as JSON and as a page. */
export const writeTuneReport = Effect.fnUntraced(function* (
  files: { readonly report: string; readonly page: string },
  halves: TunedHalves,
) {
  const html = renderReport(tunePage(halves), yield* onDisk(files.page, readUplot))
  yield* writeWhole(files.page, html)
  yield* writeJson(files.report, { format: 1, command: "tune", ...halves })
})

const tunePage = ({ plan, retriever, reader }: TunedHalves): Report<Section> => {
  const found = outcomeSentence(retriever, ["recall@5"])
  const answered = outcomeSentence(reader, ["retrieved.f1", "retrieved.nll"])
  return {
    command: "tandem tune",
    title: [found, answered].filter((one) => one !== undefined).join("; "),
    status: reader.status,
    summary: [
      ["documents", `${plan.documents}`],
      ["passages", `${plan.passages}`],
      ["held-out questions", `${plan.heldOut}`],
    ],
    lead: [
      "The retriever learned first; the reader learned on the passages that the tuned retriever finds, and is measured with them before and after. All questions that are measured are of documents that neither was trained on.",
      "Curves and examples of each half are in its own page: report.html, and reader/report.html.",
    ],
    notices: [],
    sections: [
      { ...figuresOf(retriever), title: "The retriever: what it finds" },
      { ...figuresOf(reader), title: "The reader: what it answers" },
      configFacts({ plan }, undefined),
    ],
  }
}

const figuresOf = ({ before, after, baselines: { untrained: _, ...baselines } = {}, differences }: RunReport) =>
  outcomeFigures({
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    baselines,
    ...(differences === undefined ? {} : { differences: { "after − before": differences.before } }),
  })
