import {
  configFacts,
  outcomeFigures,
  outcomeSentence,
  renderReport,
  type Section,
  type StepChart,
  trainingCurves,
  trainingReport,
  trainingRows,
} from "@tandem/report"
import { readUplot } from "@tandem/report/node/UplotFiles"
import { Effect } from "effect"
import type { RunReport } from "../RunReport.ts"
import type { MeasurementPage } from "../TrainPlan.ts"
import { readMetrics } from "./MetricsFile.ts"
import { onDisk, readJson, writeJson, writeWhole } from "./RunFiles.ts"
import { runPaths } from "./RunFolder.ts"

/** What the page shows besides the figures. */
export interface ReportSources {
  readonly statistics: unknown
  readonly warnings: readonly string[]
  readonly plannedSteps: number
  readonly stepCharts?: readonly StepChart[] | undefined
  readonly page?: Omit<MeasurementPage, "sections"> | undefined
  /** Sections of the objective's own, such as examples. */
  readonly sections: readonly Section[]
}

/** Writes `report.json` and `report.html`. */
export const writeReport = Effect.fnUntraced(function* (run: string, report: RunReport, sources: ReportSources) {
  const paths = runPaths(run)
  const { steps, evaluations } = trainingRows(yield* readMetrics(paths.metrics))
  const { page: { names = {}, headline, charts } = {}, stepCharts, statistics, sections, ...standing } = sources
  const { before, after, baselines: { untrained: _, ...baselines } = {}, variants, differences, savedStep } = report
  const latest = evaluations.at(-1)
  const outcome = {
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
    ...(latest === undefined ? {} : { latest }),
    baselines: Object.fromEntries(
      Object.entries(baselines).map(([name, metrics]) => [names[name] ?? name, metrics] as const),
    ),
    ...(variants === undefined ? {} : { variants }),
    ...(differences === undefined ? {} : { differences: { "after − before": differences.before } }),
  }
  const curves = trainingCurves(steps, evaluations, {
    ...(before === undefined ? {} : { before }),
    ...(savedStep === undefined ? {} : { savedStep }),
    ...(charts === undefined ? {} : { evaluations: charts }),
    ...(stepCharts === undefined ? {} : { columns: stepCharts }),
  })
  const facts = configFacts(yield* readJson(paths.config), statistics)
  const page = trainingReport(
    {
      ...report,
      ...standing,
      command: `tandem ${report.command}`,
      outcome: outcomeSentence(outcome, headline),
      sections: [outcomeFigures(outcome), curves, ...sections, facts],
    },
    steps,
  )
  const html = renderReport(page, yield* onDisk(paths.page, readUplot))
  yield* writeJson(paths.report, report)
  yield* writeWhole(paths.page, html)
})
