import type { Interval } from "@tandem/evals"
import { escapeHtml, figure, quantity, signed } from "./Html.ts"
import type { Metrics, ReportData } from "./ReportData.ts"

/** A system whose figures stand beside those of others. */
export interface System {
  readonly name: string
  /** The name of its colour in the style sheet. */
  readonly color: "before" | "after" | "bm25" | "third"
  readonly metrics: Metrics
}

/** The systems of a run in the order of the columns, and what `after` stands for. */
export interface Comparison {
  readonly systems: readonly System[]
  readonly before: Metrics | undefined
  readonly after: Metrics | undefined
  readonly differences: Readonly<Record<string, Interval>> | undefined
}

const order = [
  "recall@1",
  "recall@5",
  "recall@20",
  "mrr@10",
  "ndcg@10",
  "answerRecall@1",
  "answerRecall@5",
  "answerRecall@20",
]

/** Names of the figures that any of them has, the usual ones first. */
export const shownMetrics = (all: readonly Metrics[]): readonly string[] => {
  const names = new Set(all.flatMap((metrics) => Object.keys(metrics)).filter((name) => name !== "n"))
  return [...order.filter((name) => names.has(name)), ...[...names].filter((name) => !order.includes(name))]
}

/** What a run has to compare; before it ends, its last evaluation stands for the result. */
export const compare = ({ report, evaluations }: ReportData): Comparison => {
  const last = evaluations.at(-1)
  const before = report.before ?? report.baselines?.untrained
  const after = report.after ?? last?.eval
  const untrained = report.baselines?.untrained
  const differs = untrained !== undefined && before !== undefined && !same(untrained, before)
  const systems: System[] = []
  if (differs) systems.push({ name: "untrained", color: "third", metrics: untrained })
  if (before !== undefined) systems.push({ name: "before", color: "before", metrics: before })
  if (report.baselines?.bm25 !== undefined)
    systems.push({ name: "BM25", color: "bm25", metrics: report.baselines.bm25 })
  const name = report.after === undefined ? `step ${last?.step}` : "after"
  if (after !== undefined) systems.push({ name, color: "after", metrics: after })
  const differences = report.after === undefined ? undefined : report.differences?.before
  return { systems, before, after, differences }
}

const same = (a: Metrics, b: Metrics): boolean => shownMetrics([a, b]).every((name) => a[name] === b[name])

/** The table of all figures: a track from 0 to 1 with a mark for each system, their numbers, and what was gained. */
export const figuresSection = (comparison: Comparison): string => {
  const { systems, after } = comparison
  if (systems.length === 0) return ""
  const names = shownMetrics(systems.map(({ metrics }) => metrics))
  const questions = after?.["n"] ?? systems[0]?.metrics["n"]
  const head = systems.map(({ name, color }) => `<th scope="col"><i class="dot ${color}"></i>${escapeHtml(name)}</th>`)
  const interval = comparison.differences === undefined ? "" : `<th scope="col" class="gain">after − before</th>`
  return `<section aria-labelledby="figures"><h2 id="figures">Figures</h2>
<table class="figures"><thead><tr><th scope="col">figure</th><th class="track" aria-hidden="true"><span>0</span><span>1</span></th>${head.join("")}${interval}</tr></thead>
<tbody>${names.map((name) => row(name, comparison)).join("\n")}</tbody></table>
<p class="note">${questions === undefined ? "" : `${quantity(questions)} evaluation questions. `}${interval === "" ? "" : "In brackets the 95 % interval of the difference, questions resampled in pairs. "}<code>recall</code>: a passage that answers is among the first k; <code>answerRecall</code>: one of the first k holds an answer word for word.</p></section>`
}

const row = (name: string, { systems, before, after, differences }: Comparison): string => {
  const marks = systems.flatMap(({ color, metrics }) => {
    const value = metrics[name]
    return value === undefined ? [] : [`<i class="mark ${color}" style="left:${percent(value)}"></i>`]
  })
  const [from, to] = [before?.[name], after?.[name]]
  const span =
    from === undefined || to === undefined
      ? ""
      : `<i class="span" style="left:${percent(Math.min(from, to))};width:${percent(Math.abs(to - from))}"></i>`
  const cells = systems.map(({ name: system, color, metrics }) => {
    const value = metrics[name]
    const text = value === undefined ? "–" : figure(value)
    return `<td class="number ${color}" data-name="${escapeHtml(system)}">${text}</td>`
  })
  const gain =
    differences === undefined
      ? ""
      : `<td class="number gain" data-name="after − before">${difference(differences[name])}</td>`
  return `<tr><th scope="row">${escapeHtml(name)}</th><td class="track" aria-hidden="true"><span class="rail">${span}${marks.join("")}</span></td>${cells.join("")}${gain}</tr>`
}

const percent = (value: number): string => `${(Math.min(1, Math.max(0, value)) * 100).toFixed(2)}%`

const difference = (interval: Interval | undefined): string => {
  if (interval === undefined) return "–"
  const { estimate, low, high } = interval
  const kind = low > 0 ? "better" : high < 0 ? "worse" : "level"
  return `<b class="${kind}">${signed(estimate)}</b> <span class="interval">[${signed(low)}, ${signed(high)}]</span>`
}
