import type { Interval } from "@tandem/evals"
import type { Color } from "../Color.ts"
import { escapeHtml, figure, prose, signed } from "../Html.ts"
import type { Kind } from "../Kind.ts"
import { baseOf, type MetricFacts, type Metrics, metricNames, usualMetrics, usualVariants } from "../Metrics.ts"

/** A system whose figures stand beside those of others. */
export interface System {
  readonly name: string
  readonly color: Color
  readonly metrics: Metrics
  /** What was changed, and what came of it: a bar goes from the one to the other. */
  readonly role?: "start" | "result"
}

/** Differences of two systems with their intervals, by figure. */
export interface Difference {
  /** For example `after − before`. */
  readonly label: string
  readonly values: Readonly<Record<string, Interval>>
}

/** All figures of all systems: a track with a mark for each system, their numbers, and differences. */
export interface Figures {
  readonly systems: readonly System[]
  readonly differences?: readonly Difference[]
  /** What the usual figures' table does not say, or says otherwise, by name without cutoff. */
  readonly facts?: Readonly<Record<string, MetricFacts>>
}

export const figures: Kind<Figures> = {
  render: (content) => {
    const { systems, differences = [] } = content
    const names = metricNames(systems.map(({ metrics }) => metrics))
    if (names.length === 0) return ""
    const heads = [
      ...systems.map(({ name, color }) => `<th scope="col"><i class="dot ${color}"></i>${escapeHtml(name)}</th>`),
      ...differences.map(({ label }) => `<th scope="col" class="gain">${escapeHtml(label)}</th>`),
    ]
    return `<table class="figures${systems.length + differences.length > 4 ? " many" : ""}"><thead><tr><th scope="col">figure</th><th class="track" aria-hidden="true"><span>0</span><span>1</span></th>${heads.join("")}</tr></thead>
<tbody>${names.map((name) => row(name, content)).join("\n")}</tbody></table>
${explanations(names, content)}`
  },
  style: `
table.figures { border-collapse: collapse; width: 100%; }
.figures th { font-weight: 500; text-align: right; white-space: nowrap; }
.figures thead th { color: var(--soft); font-size: .8125rem; padding: 0 .25rem .4rem 1rem; }
.figures th:first-child { text-align: left; padding-left: 0; }
.figures tbody tr { border-top: 1px solid var(--line); }
.figures tbody th, .figures td { padding: .5rem .25rem .5rem 1rem; }
.figures .number { text-align: right; white-space: nowrap; }
.figures .number.result { font-weight: 650; color: var(--color); }
.figures .gain { padding-right: 0; }
.figures .track { width: 30%; min-width: 8rem; padding-left: 1.5rem; padding-right: 1rem; }
.figures.many { font-size: .9375rem; } .figures.many .track { width: 20%; min-width: 6rem; }
.figures.many .interval { display: block; }
.figures thead .track span:first-child { float: left; }
.rail { display: block; position: relative; height: 4px; border-radius: 2px; background: var(--rail); }
.rail i { position: absolute; top: 50%; }
.rail .span { height: 4px; transform: translateY(-50%); background: var(--color); opacity: .45; }
.rail .mark { width: 3px; height: 19px; border-radius: 1px; transform: translate(-50%, -50%); background: var(--color); }
.rail .mark.start { width: 9px; height: 9px; border-radius: 50%; }
.rail .mark.result { width: 13px; height: 13px; border-radius: 50%; box-shadow: 0 0 0 2px var(--page); }
.rail .end { position: absolute; right: 0; bottom: 6px; line-height: 1; font-size: .6875rem; color: var(--soft); }
.interval { color: var(--soft); font-size: .875em; }
.meanings { columns: 22rem 2; column-gap: 2.5rem; margin: .75rem 0 0; padding: 0; list-style: none; font-size: .875rem; color: var(--soft); }
.meanings li { break-inside: avoid; }
@media (max-width: 46rem) {
  .figures thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .figures, .figures tbody { display: block; }
  .figures tbody tr { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; padding: .7rem 0; }
  .figures tbody th, .figures td { padding: 0; }
  .figures tbody th { flex: 1 0 100%; font-weight: 600; }
  .figures td.track { flex: 1 0 100%; width: auto; padding: .55rem 8px .6rem; }
  .figures .number { text-align: left; }
  .figures .number::before { content: attr(data-name); display: block; font-size: .75rem; font-weight: 400; color: var(--soft); }
}
@media print { .figures tr { break-inside: avoid; } }
`,
}

const row = (name: string, { systems, differences = [], facts }: Figures): string => {
  const { meaning = "", better = "higher" } = factsOf(name, facts)
  const [low, high] = trackOf(name, systems)
  const place = (value: number): string =>
    `${(Math.min(1, Math.max(0, (value - low) / (high - low))) * 100).toFixed(2)}%`
  // The result lies above the others.
  const drawn = [...systems].sort((a, b) => Number(a.role === "result") - Number(b.role === "result"))
  const marks = drawn.flatMap(({ color, role = "", metrics: { [name]: value } }) =>
    value === undefined || !Number.isFinite(value)
      ? []
      : [`<i class="mark ${color} ${role}" style="left:${place(value)}"></i>`],
  )
  const cells = systems.map(({ name: system, color, role = "", metrics: { [name]: value } }) => {
    const text = value === undefined ? "–" : figure(value)
    return `<td class="number ${color} ${role}" data-name="${escapeHtml(system)}">${text}</td>`
  })
  const gains = differences.map(
    ({ label, values }) =>
      `<td class="number gain" data-name="${escapeHtml(label)}">${difference(values[name], better)}</td>`,
  )
  const rail = `<span class="rail">${span(name, systems, low, high)}${marks.join("")}${high === 1 ? "" : `<span class="end">${figure(high)}</span>`}</span>`
  return `<tr><th scope="row" title="${escapeHtml(meaning)}">${escapeHtml(name)}</th><td class="track" aria-hidden="true">${rail}</td>${cells.join("")}${gains.join("")}</tr>`
}

const factsOf = (name: string, own: Figures["facts"] = {}): MetricFacts => ({
  ...usualMetrics[baseOf(name)],
  ...own[baseOf(name)],
})

/** What the track of a figure goes from and to: 0 to 1, unless a value lies outside. */
const trackOf = (name: string, systems: readonly System[]): readonly [number, number] => {
  const values = systems.flatMap(({ metrics: { [name]: value = 0 } }) => (Number.isFinite(value) ? [value] : []))
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)]
  return low >= 0 && high <= 1 ? [0, 1] : [low * 1.08, high * 1.08]
}

const span = (name: string, systems: readonly System[], low: number, high: number): string => {
  const [from, to] = ["start", "result"].map((wanted) => systems.find(({ role }) => role === wanted))
  const [a, b] = [from?.metrics[name], to?.metrics[name]]
  if (a === undefined || b === undefined || !Number.isFinite(a - b)) return ""
  const percent = (value: number): string => `${((100 * value) / (high - low)).toFixed(2)}%`
  return `<i class="span ${to?.color}" style="left:${percent(Math.min(a, b) - low)};width:${percent(Math.abs(b - a))}"></i>`
}

const difference = (interval: Interval | undefined, better: "higher" | "lower"): string => {
  if (interval === undefined) return "–"
  const { estimate, low, high } = interval
  const sign = low > 0 ? 1 : high < 0 ? -1 : 0
  const kind = sign === 0 ? "level" : sign > 0 === (better === "higher") ? "better" : "worse"
  return `<b class="${kind}">${signed(estimate)}</b> <span class="interval">[${signed(low)}, ${signed(high)}]</span>`
}

const explanations = (names: readonly string[], { differences = [], facts }: Figures): string => {
  const intervals = differences.flatMap(({ values }) => Object.values(values))
  const confidence = intervals[0]?.confidence
  const bases = [...new Set(names.map(baseOf))].map((base) => [base, factsOf(base, facts).meaning] as const)
  const variants = Object.entries(usualVariants).filter(([variant]) =>
    names.some((name) => name.startsWith(`${variant}.`)),
  )
  const meanings = [...bases, ...variants].flatMap(([name, meaning]) =>
    meaning === undefined ? [] : [`<li><code>${escapeHtml(name)}</code>: ${prose(meaning)}</li>`],
  )
  const brackets =
    confidence === undefined
      ? ""
      : `<p class="note">In brackets the ${Number((100 * confidence).toFixed(1))} % interval of the difference, questions resampled in pairs.</p>`
  return `${meanings.length === 0 ? "" : `<ul class="meanings">${meanings.join("")}</ul>`}${brackets}`
}
