import type { RunReport } from "@tandem/runs/RunReport"
import { clock, figure } from "./ProgressText.ts"

type Metrics = Readonly<Record<string, number>>

/** Columns of text, the first flush left and the others flush right. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}

/** Columns of text, all flush left. */
export const leftTable = (rows: readonly (readonly string[])[]): string => {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}

/** The end of a run for people: every figure after and before training, and of BM25 where it was measured. */
export const comparisonTable = (report: RunReport): string => {
  const head = `${report.steps} steps in ${clock(report.seconds)}, ${report.peakMemoryMiB} MiB at most`
  const { after, before, baselines, variants = {}, differences } = report
  const words = baselines?.["bm25"]
  const others = Object.entries(variants)
  if (after === undefined) return head
  const cell = (metrics: Metrics | undefined, name: string) =>
    metrics?.[name] === undefined ? "–" : figure(metrics[name])
  const rows = Object.keys(after)
    .filter((name) => name !== "n")
    .map((name) => {
      const gain = differences?.before[name]
      const interval = gain === undefined ? "" : `${signed(gain.estimate)} [${signed(gain.low)}, ${signed(gain.high)}]`
      return [
        name,
        cell(after, name),
        cell(before, name),
        ...(words === undefined ? [] : [cell(words, name)]),
        ...others.map(([, metrics]) => cell(metrics, name)),
        interval,
      ]
    })
  return `${head}\n\n${table([["", "after", "before", ...(words === undefined ? [] : ["BM25"]), ...others.map(([name]) => name), "after − before, 95 %"], ...rows])}\n`
}

const signed = (value: number): string => `${value < 0 ? "−" : "+"}${figure(Math.abs(value))}`

/** Figures, one a line. */
export const metricsTable = (metrics: Metrics): string =>
  table(Object.entries(metrics).map(([name, value]) => [name, name === "n" ? String(value) : figure(value)]))
