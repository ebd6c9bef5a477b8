import type { Color } from "../Color.ts"
import { escapeHtml, figure } from "../Html.ts"
import type { Kind } from "../Kind.ts"
import { chartScript } from "./ChartScript.ts"

/** One line of a chart; `values` has a value, or `null` for none, at each of the chart's places. */
export interface Line {
  readonly label: string
  readonly values: readonly (number | null)[]
  readonly color: Color
  /** `points` are joined by a line, `dots` are not. */
  readonly style: "faint" | "strong" | "points" | "dots" | "dashed"
  /** What lies between the least and the largest at each place, as upright bars. */
  readonly spread?: readonly (readonly [low: number, high: number])[]
}

/** Lines over steps, or over whatever `along` names. */
export interface Chart {
  readonly title: string
  /** Rising. */
  readonly x: readonly number[]
  /** What `x` counts; `step` if nothing is said. */
  readonly along?: string
  /** Whether `x` is laid out by its logarithm, with a tick for each place. */
  readonly growing?: boolean
  readonly lines: readonly Line[]
  /** `unit`: the axis goes from 0 to 1 at most; `log`: powers of ten have the same distance. */
  readonly scale: "free" | "from zero" | "unit" | "log"
  /** What the axis leaves out, so that single values do not squash all others. */
  readonly within?: readonly [low: number, high: number]
  /** Values are seconds, or plain numbers. */
  readonly unit?: "seconds"
  /** A place with a name: the step whose weights were saved. */
  readonly marked?: { readonly at: number; readonly label: string }
  /** Said below the chart. */
  readonly note?: string
}

/** Charts side by side. */
export interface Curves {
  readonly charts: readonly Chart[]
}

export const curves: Kind<Curves> = {
  render: ({ charts }) => {
    const drawn = charts.filter(({ x }) => x.length > 0)
    if (drawn.length === 0) return ""
    return `<div class="curves">${drawn.map(one).join("\n")}</div><noscript><p class="notice">The curves need JavaScript.</p></noscript>`
  },
  style: `
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.25rem; }
figure { margin: 0; min-width: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1rem .5rem; }
figcaption { font-weight: 600; font-size: .9375rem; }
figure .note { margin: .25rem 0 .35rem; font-size: .8125rem; }
.chart { min-width: 0; }
.uplot, .uplot *, .uplot *::before, .uplot *::after { box-sizing: border-box; }
.uplot { display: flex; flex-direction: column; font-family: inherit; line-height: 1.4; }
.uplot .u-legend { order: -1; text-align: left; font-size: .8125rem; color: var(--soft); margin: .15rem 0 .35rem; min-height: 1.5em; }
.uplot .u-legend tr, .uplot .u-legend.u-inline tr { margin-right: .35rem; }
.uplot .u-legend th { font-weight: 400; cursor: default; }
.uplot .u-legend .u-value { color: var(--ink); font-weight: 500; }
.uplot .u-legend .u-marker { width: .65em; height: .65em; border-radius: 50%; margin-right: .35em; }
.uplot .u-legend .u-series:first-child .u-marker { display: none; }
.uplot .u-legend .u-series > * { padding: 0 .2rem 0 0; }
.u-cursor-x, .u-cursor-y { border-color: var(--soft) !important; }
.u-select { background: color-mix(in srgb, var(--teal) 14%, transparent); }
@media print {
  figure { overflow: hidden; break-inside: avoid; }
  .curves { grid-template-columns: 1fr 1fr; }
}
`,
  script: chartScript,
  plots: true,
}

const one = (chart: Chart): string => {
  const lines = chart.lines.map((line) => ({ ...line, values: line.values.map(rounded) }))
  const ends = lines.flatMap(({ label, values }) => {
    const last = values.findLast((value) => value !== null)
    return last === undefined || last === null ? [] : [`${label} ends at ${figure(last)}`]
  })
  const data = escapeHtml(JSON.stringify({ ...chart, title: undefined, note: undefined, lines }))
  return `<figure><figcaption>${escapeHtml(chart.title)}</figcaption><div class="chart" role="img" aria-label="${escapeHtml([chart.title, ...ends].join(", "))}" data-chart="${data}"></div>${
    chart.note === undefined ? "" : `<p class="note">${escapeHtml(chart.note)}</p>`
  }</figure>`
}

/** Six digits: more than a chart shows. JSON has no NaN and no infinity; a chart shows a gap for them. */
const rounded = (value: number | null): number | null =>
  value !== null && Number.isFinite(value) ? Number(value.toPrecision(6)) : null
