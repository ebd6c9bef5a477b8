import { type Color, lineColor } from "../Color.ts"
import { quantity } from "../Html.ts"
import type { SectionHead } from "../Kind.ts"
import type { Chart, Curves, Line } from "../kinds/Curves.ts"
import { type Metrics, metricNames } from "../Metrics.ts"
import { readableScale } from "./ReadableScale.ts"
import { smooth } from "./Smooth.ts"
import type { EvaluationRow, StepRow } from "./TrainingRows.ts"

/** Numbers of a run's steps that share a chart, by their names in `metrics.jsonl`. */
export interface StepChart {
  readonly title: string
  readonly columns: readonly string[]
}

/** Figures of a run's evaluations that share a chart. */
export interface EvaluationChart {
  readonly title: string
  readonly metrics: readonly string[]
}

/** What the curves of a run show beside its rows. */
export interface CurvesOptions {
  /** Figures from before the first step. */
  readonly before?: Metrics
  /** The step whose weights were saved; the charts mark it. */
  readonly savedStep?: number
  /** What a run's steps say beside loss, rate and gradients; columns that no row has are left out. */
  readonly columns?: readonly StepChart[]
  /** Figures by chart; without it the first four that lie in 0 to 1 share one, and each other one has its own. */
  readonly evaluations?: readonly EvaluationChart[]
}

/** Points that a chart is given at most: more than its pixels, and few enough for a small file. */
const mostPoints = 3000

/** The curves of a training run: loss, evaluations, learning rate, gradient norm by part, and what else its steps say. */
export const trainingCurves = (
  steps: readonly StepRow[],
  evaluations: readonly EvaluationRow[],
  options: CurvesOptions = {},
): { readonly kind: "curves" } & SectionHead & Curves => {
  const { savedStep, columns = [] } = options
  const marked = savedStep === undefined ? {} : { marked: { at: savedStep, label: "saved" } }
  const charts = [
    lossChart(steps),
    ...evaluationCharts(evaluations, options),
    rateChart(steps),
    gradientChart(steps),
    ...columns.flatMap((chart) => columnChart(chart, steps)),
  ]
  return {
    kind: "curves",
    title: "Training",
    charts: charts.filter(({ x }) => x.length > 0).map((chart) => ({ ...chart, ...marked })),
  }
}

const lossChart = (steps: readonly StepRow[]): Chart => {
  const loss = column(steps, "loss")
  const lines = [
    { label: "each step", values: loss, color: "faint", style: "faint" },
    { label: "smoothed", values: smooth(loss), color: "teal", style: "strong" },
  ] as const
  return stepChart("Loss", steps, lines, readable([loss], "free"))
}

const rateChart = (steps: readonly StepRow[]): Chart => {
  const { names, label } = byPart(steps, "lr", "rate")
  const lines = names.map((name, index) => strong(label(name), column(steps, name), lineColor(index)))
  return stepChart("Learning rate", steps, lines, { scale: "from zero" })
}

const gradientChart = (steps: readonly StepRow[]): Chart => {
  const { names, label } = byPart(steps, "gradNorm", "norm")
  const values = names.map((name) => column(steps, name))
  const lines = names.map((name, index) =>
    names.length > 1 && name === "gradNorm"
      ? ({ label: label(name), values: values[index] ?? [], color: "faint", style: "faint" } as const)
      : strong(label(name), values[index] ?? [], lineColor(names.length > 1 ? index - 1 : index)),
  )
  return stepChart("Gradient norm, before clipping", steps, lines, readable(values, "from zero"))
}

const columnChart = ({ title, columns }: StepChart, steps: readonly StepRow[]): readonly Chart[] => {
  const names = columns.filter((name) => steps.some(({ values }) => values[name] !== undefined))
  if (names.length === 0) return []
  const values = names.map((name) => smooth(column(steps, name)))
  const lines = names.map((name, index) => strong(name, values[index] ?? [], lineColor(index)))
  return [stepChart(`${title}, smoothed`, steps, lines, readable(values, "free"))]
}

/** Names of a number that a step has as a whole and by part: `gradNorm`, `gradNorm/query`. With one part, the whole says it all. */
const byPart = (steps: readonly StepRow[], base: string, whole: string) => {
  const parts = [...new Set(steps.flatMap(({ values }) => Object.keys(values)))].filter((name) =>
    name.startsWith(`${base}/`),
  )
  const names = parts.length > 1 ? [base, ...parts] : [base]
  return {
    names,
    label: (name: string) => (name === base ? (parts.length > 1 ? "all parts" : whole) : name.slice(base.length + 1)),
  }
}

const strong = (label: string, values: readonly number[], color: Color) =>
  ({ label, values, color, style: "strong" }) as const

const column = (steps: readonly StepRow[], name: string): readonly number[] =>
  steps.map(({ values }) => values[name] ?? Number.NaN)

type Axis = Pick<Chart, "scale" | "within" | "note">

const readable = (values: readonly (readonly number[])[], otherwise: "free" | "from zero"): Axis => {
  const { left, ...axis } = readableScale(values, otherwise)
  if (axis.scale === "log") return { ...axis, note: "The axis is logarithmic." }
  if (left === 0) return axis
  return {
    ...axis,
    note: left === 1 ? "One value lies beyond the axis." : `${quantity(left)} values lie beyond the axis.`,
  }
}

/** A chart over steps, thinned where there are more than it can show; the last step stays. */
const stepChart = (
  title: string,
  steps: readonly StepRow[],
  lines: readonly (Omit<Line, "values"> & { readonly values: readonly number[] })[],
  axis: Axis,
): Chart => {
  const every = Math.max(1, Math.ceil(steps.length / mostPoints))
  const thin = <A>(all: readonly A[]): readonly A[] =>
    every === 1 ? all : all.filter((_, index) => index % every === 0 || index === all.length - 1)
  return {
    title,
    x: thin(steps).map(({ step }) => step),
    lines: lines.map((line) => ({ ...line, values: thin(line.values).map(finite) })),
    ...axis,
  }
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null

const evaluationCharts = (
  evaluations: readonly EvaluationRow[],
  { before, evaluations: wanted }: CurvesOptions,
): readonly Chart[] => {
  // Before the first evaluation there is nothing to draw, also if the untrained models were measured.
  if (evaluations.length === 0) return []
  const rows: readonly EvaluationRow[] = [
    ...(before === undefined || evaluations.some(({ step }) => step === 0) ? [] : [{ step: 0, metrics: before }]),
    ...evaluations,
  ]
  return (wanted ?? usualCharts(rows)).flatMap(({ title, metrics }) => {
    const names = metrics.filter((name) => rows.some((row) => row.metrics[name] !== undefined))
    if (names.length === 0) return []
    const lines = names.map((label, index): Line => {
      const values = rows.map((row) => finite(row.metrics[label]))
      return { label, values, color: lineColor(index), style: "points" }
    })
    const scale = names.every((name) => isShare(rows, name)) ? "unit" : "free"
    return [{ title, x: rows.map(({ step }) => step), lines, scale }]
  })
}

const usualCharts = (rows: readonly EvaluationRow[]): readonly EvaluationChart[] => {
  const names = metricNames(rows.map(({ metrics }) => metrics))
  const shares = names.filter((name) => isShare(rows, name)).slice(0, 4)
  const others = names.filter((name) => !isShare(rows, name))
  return [
    { title: "On the evaluation questions", metrics: shares },
    ...others.map((name) => ({ title: `${name}, on the evaluation questions`, metrics: [name] })),
  ]
}

const isShare = (rows: readonly EvaluationRow[], name: string): boolean =>
  rows.every(({ metrics: { [name]: value = 0 } }) => value >= 0 && value <= 1)
