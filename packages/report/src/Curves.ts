import { shownMetrics } from "./Figures.ts"
import type { EvalRow, Metrics, StepRow } from "./ReportData.ts"

/** One line of a chart; `values` has a value, or `null` for none, for each of the chart's steps. */
export interface Line {
  readonly label: string
  readonly values: readonly (number | null)[]
  /** The name of its colour in the style sheet. */
  readonly color: string
  readonly style: "faint" | "strong" | "points"
}

/** A chart over steps. */
export interface Curve {
  readonly id: string
  readonly title: string
  readonly steps: readonly number[]
  readonly lines: readonly Line[]
  /** `unit`: the axis goes from 0 to 1 at most. */
  readonly scale: "free" | "from zero" | "unit"
}

/** Points that a chart is given at most: more than its pixels, and few enough for a small file. */
const mostPoints = 3000

/** The curves of a run: loss, learning rate, gradient norm, and the figures by step; only those with something to show. */
export const curves = (steps: readonly StepRow[], evaluations: readonly EvalRow[], before: Metrics | undefined) => {
  const rows = thinned(steps)
  const smoothed = thinned(smooth(steps.map(({ loss }) => loss)))
  const at = rows.map(({ step }) => step)
  const all: readonly Curve[] = [
    {
      id: "loss",
      title: "Loss",
      steps: at,
      scale: "free",
      lines: [
        { label: "each step", values: rows.map(({ loss }) => finite(loss)), color: "faint", style: "faint" },
        { label: "smoothed", values: smoothed.map(finite), color: "after", style: "strong" },
      ],
    },
    retrieval(evaluations, before),
    {
      id: "rate",
      title: "Learning rate",
      steps: at,
      scale: "from zero",
      lines: [{ label: "rate", values: rows.map(({ lr }) => finite(lr)), color: "after", style: "strong" }],
    },
    {
      id: "gradient",
      title: "Gradient norm",
      steps: at,
      scale: "from zero",
      lines: [
        {
          label: "before clipping",
          values: rows.map(({ gradNorm }) => finite(gradNorm)),
          color: "after",
          style: "strong",
        },
      ],
    },
  ]
  return all.filter((curve) => curve.steps.length > 0)
}

const colors = ["after", "bm25", "third", "fourth"]

const retrieval = (evaluations: readonly EvalRow[], before: Metrics | undefined): Curve => {
  const rows: readonly EvalRow[] = [
    ...(before === undefined || evaluations.some(({ step }) => step === 0) ? [] : [{ step: 0, eval: before }]),
    ...evaluations,
  ]
  const all = shownMetrics(rows.map((row) => row.eval))
  const gold = all.filter((name) => /^(recall@|mrr@)/.test(name))
  const names = (gold.length > 0 ? gold : all).slice(0, colors.length)
  return {
    id: "retrieval",
    title: "Retrieval, on the evaluation questions",
    // Before the first evaluation there is nothing to draw, also if the untrained encoder was measured.
    steps: evaluations.length === 0 ? [] : rows.map(({ step }) => step),
    scale: "unit",
    lines: names.map((name, index) => ({
      label: name,
      values: rows.map((row) => finite(row.eval[name])),
      color: colors[index] ?? "faint",
      style: "points",
    })),
  }
}

/** JSON has no NaN; a chart shows a gap for it. */
const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null

const thinned = <A>(rows: readonly A[]): readonly A[] => {
  const every = Math.ceil(rows.length / mostPoints)
  return every <= 1 ? rows : rows.filter((_, index) => index % every === 0 || index === rows.length - 1)
}

/** An exponential mean over about a hundredth of the run, divided by the sum of its weights so that it starts unbiased. */
const smooth = (values: readonly number[]): readonly number[] => {
  const keep = 1 - 1 / Math.max(5, values.length / 100)
  let mean = 0
  let weight = 0
  return values.map((value) => {
    if (!Number.isFinite(value)) return Number.NaN
    weight = keep * weight + (1 - keep)
    mean += ((1 - keep) / weight) * (value - mean)
    return mean
  })
}
