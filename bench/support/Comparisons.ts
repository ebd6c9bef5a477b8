// A kind of section that the benchmarks' page has beside those of every report.
import type { Kind } from "@tandem/report"
import { escapeHtml } from "@tandem/report"
import { type Compared, type Goal, goalsOf, type Limit } from "./Compare.ts"
import { type Profile, profileParts } from "./Profile.ts"
import { type BenchmarkRecord, comparisons, duration, goalWords, missedGoals, percent, range } from "./Records.ts"
import { spread } from "./Spread.ts"

/** A record's rows: both sides, their ratio round by round, and where our time goes. */
export interface Comparisons {
  readonly record: BenchmarkRecord
  /** The same for all records of a page. */
  readonly scale: RatioScale
}

const style = `
.bench { border-collapse: collapse; width: 100%; font-size: .9375rem; }
.bench.rows { table-layout: fixed; } .bench.rows thead .number { width: 11%; } .bench.rows thead .number:nth-of-type(5) { width: 13%; }
.bench th { font-weight: 500; text-align: left; }
.bench thead th { color: var(--soft); font-size: .8125rem; padding: 0 .25rem .4rem 1rem; white-space: nowrap; }
.bench th:first-child { padding-left: 0; }
.bench tbody tr { border-top: 1px solid var(--line); }
.bench tbody th, .bench td { padding: .5rem .25rem .5rem 1rem; vertical-align: middle; }
.bench .number { text-align: right; white-space: nowrap; }
.bench .plot { width: 31%; }
.bench small { color: var(--soft); font-size: .8125rem; }
.strip { display: block; width: 100%; height: 2.25rem; overflow: visible; }
.strip text { fill: var(--soft); font-size: 11px; text-anchor: middle; }
.strip .axis { stroke: var(--rail); stroke-width: 4; stroke-linecap: round; }
.strip .one { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 2; }
.strip .range { stroke: var(--teal); stroke-width: 4; opacity: .45; stroke-linecap: round; }
.strip .round { fill: var(--teal); opacity: .7; }
.strip .median { fill: var(--teal); stroke: var(--page); stroke-width: 2; }
.strip .slow .median, .strip .slow .round { fill: var(--bad); } .strip .slow .range { stroke: var(--bad); }
.strip .goal { stroke: var(--amber); stroke-width: 2.5; stroke-linecap: round; }
.bench + details { margin-top: .75rem; font-size: .9375rem; } details summary { cursor: pointer; color: var(--soft); }
details .bench { margin: .5rem 0 1rem; font-size: .875rem; } details .bench td, details .bench tbody th { padding-top: .2rem; padding-bottom: .2rem; }
.bench.rows tbody .parts { border-top: 0; } .bench.rows .parts td { padding: 0 .25rem .9rem 0; }
.parts p { margin: 0 0 .4rem; font-size: .8125rem; color: var(--bad); }
.bars { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: .3rem 1.25rem; margin: 0; padding: 0; list-style: none; font-size: .8125rem; }
.bars li { display: grid; grid-template-columns: 1fr auto; color: var(--soft); } .bars b { color: var(--ink); font-weight: 500; }
.bars i { grid-column: 1 / -1; height: 3px; margin-top: .1rem; border-radius: 2px; background: var(--teal); }
.note.intro { margin-top: -.75rem; }
.scroll { overflow-x: auto; }
@media (max-width: 46rem) {
  .bench.rows thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .bench.rows, .bench.rows tbody { display: block; }
  .bench.rows tbody tr { display: flex; flex-wrap: wrap; gap: .1rem 1.25rem; padding: .7rem 0; }
  .bench.rows tbody th, .bench.rows td { padding: 0; }
  .bench.rows tbody th, .bench.rows .plot { flex: 1 0 100%; }
  .bench.rows tbody .parts { padding-top: 0; } .bench.rows .parts td { flex: 1 0 100%; padding: 0; }
  .bench.rows .number { text-align: left; }
  .bench.rows .number::before { content: attr(data-name); display: block; font-size: .75rem; color: var(--soft); }
}
`

export const comparisonsKind: Kind<Comparisons> = {
  render: ({ record, scale }) => {
    const { settings, command, versions, seconds } = record
    const rows = comparisons(record)
    if (rows.length === 0) return ""
    const peers = rows.flatMap(([, { peer }]) => (typeof peer === "string" ? [] : Object.entries(peer.versions)))
    const all = [...Object.entries(versions), ...peers].map(([each, version]) => `${each} ${version}`)
    const limits = rows.flatMap(([row, { limit }]) => (limit === undefined ? [] : [[row, limit] as const]))
    const profiles = rows.flatMap(([row, { profile }]) => (profile === undefined ? [] : [[row, profile] as const]))
    const unmet = Object.entries(record.holds ?? {}).filter(([, held]) => !held)
    return `<table class="bench rows"><thead><tr><th>case</th><th class="number">ours</th><th class="number">theirs</th><th class="number">speed</th><th class="number">memory</th><th class="plot">ratio of each round</th></tr></thead>
<tbody>${rows.map(([row, compared]) => comparisonRow(row, compared, scale)).join("\n")}</tbody></table>
${limits.length === 0 ? "" : limitDetails(limits)}
${profiles.length === 0 ? "" : operatorDetails(profiles)}
<details><summary>How it was measured</summary>${unmet.length === 0 ? "" : `<p>Not reached: ${escapeHtml(unmet.map(([sentence]) => sentence).join("; "))}.</p>`}
<p><code>${escapeHtml(command)}</code>, ${seconds.toFixed(0)} s; ${escapeHtml([...new Set(all)].join(", "))}.</p>
<pre class="scroll"><code>${escapeHtml(shown(settings))}</code></pre></details>`
  },
  style,
}

/** Where a ratio lies on the strips: a share of their width, by its logarithm. */
export type RatioScale = (ratio: number) => number

export const ratioScale = (all: readonly Compared[]): RatioScale => {
  const values = all.flatMap(({ ratio, targets }) => [ratio?.min ?? 1, ratio?.max ?? 1, targets?.speed ?? 1])
  const [low, high] = [Math.log(Math.min(0.5, ...values) / 1.1), Math.log(Math.max(2, ...values) * 1.1)]
  return (ratio) => (Math.log(ratio) - low) / (high - low)
}

const comparisonRow = (name: string, compared: Compared, scale: RatioScale): string => {
  const { ours, peer, ratio, memory, limit, profile } = compared
  const goal = (of: Goal["of"]): string => {
    const words = goalWords(compared, of)
    return words === "" ? "" : `<br><small>${words}</small>`
  }
  const cell = (title: string, text: string): string => `<td class="number" data-name="${title}">${text}</td>`
  const theirs = typeof peer === "string" ? peer : duration(peer.seconds.median)
  const share = limit === undefined ? "" : `<br><small>products ${range(limit.share)}</small>${goal("share")}`
  const memories =
    memory === undefined || typeof peer === "string"
      ? `${ours.peakMemoryMiB} MiB`
      : `<span class="${judged(isGood(compared, "memory", memory <= 1))}">${memory.toFixed(2)}</span><br><small>${ours.peakMemoryMiB} / ${peer.peakMemoryMiB} MiB</small>${goal("memory")}`
  const speed =
    ratio === undefined
      ? "–"
      : `<span class="${judged(isGood(compared, "speed", ratio.median >= 1))}">${ratio.median.toFixed(2)}</span><br><small>${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}</small>${goal("speed")}`
  return `<tr><th scope="row">${escapeHtml(name)}${share}</th>${cell("ours", duration(ours.seconds.median))}${cell("theirs", escapeHtml(theirs))}${cell("speed", speed)}${cell("memory", memories)}<td class="plot">${strip(compared, scale)}</td></tr>${profile === undefined ? "" : profileRow(profile, missedGoals(compared))}`
}

/** The largest parts of our time as bars, and which goals were not reached. */
const profileRow = (profile: Profile, missed: string): string => {
  const parts = profileParts(profile)
  const largest = Math.max(...parts.map(({ share }) => share))
  const bars = parts.map(
    ({ name, seconds, share }) =>
      `<li title="${duration(seconds)}"><span>${escapeHtml(name)}</span> <b>${percent(share)}</b><i style="width:${((100 * share) / largest).toFixed(1)}%"></i></li>`,
  )
  return `<tr class="parts"><td colspan="6">${missed === "" ? "" : `<p>Not reached: ${escapeHtml(missed)}.</p>`}<ul class="bars">${bars.join("")}</ul></td></tr>`
}

/** Whether a goal was reached; where there is none, what is said otherwise. */
const isGood = (compared: Compared, of: Goal["of"], otherwise: boolean): boolean =>
  goalsOf(compared).find((goal) => goal.of === of)?.reached ?? otherwise

const judged = (good: boolean): string => (good ? "better" : "worse")

const width = 300

/** The rounds' ratios on one line. */
const strip = (compared: Compared, scale: RatioScale): string => {
  const { rounds, ratio, targets } = compared
  if (ratio === undefined) return ""
  const x = (value: number): string => (scale(value) * width).toFixed(1)
  const ratios = rounds.flatMap(({ ours, peer }) => (peer === undefined ? [] : [peer / ours]))
  const { median, min, max } = spread(ratios)
  const goal = targets?.speed
  const ticks = [0.25, 0.5, 1, 2, 4].filter((tick) => scale(tick) >= 0 && scale(tick) <= 1)
  return `<svg class="strip" viewBox="0 0 ${width} 36" role="img" aria-label="median ${median.toFixed(2)}, from ${min.toFixed(2)} to ${max.toFixed(2)}">
<line class="axis" x1="0" x2="${width}" y1="13" y2="13"/><line class="one" x1="${x(1)}" x2="${x(1)}" y1="3" y2="24"/>
${ticks.map((tick) => `<text x="${x(tick)}" y="34">${tick}</text>`).join("")}
<g${isGood(compared, "speed", median >= 1) ? "" : ' class="slow"'}><line class="range" x1="${x(min)}" x2="${x(max)}" y1="13" y2="13"/>
${ratios.map((value) => `<circle class="round" cx="${x(value)}" cy="13" r="2.5"/>`).join("")}
<circle class="median" cx="${x(median)}" cy="13" r="6"/></g>${goal === undefined ? "" : `<line class="goal" x1="${x(goal)}" x2="${x(goal)}" y1="3" y2="23"/>`}</svg>`
}

const limitDetails = (
  limits: readonly (readonly [string, Limit])[],
): string => `<details><summary>Matrix products alone</summary>
${limits
  .map(
    ([
      name,
      { products, seconds, gigaflop, peakGigaflopsPerSecond },
    ]) => `<h3>${escapeHtml(name)}: ${gigaflop.toFixed(0)} GFLOP in ${duration(seconds.median)}, the fastest at ${peakGigaflopsPerSecond.toFixed(0)} GFLOP/s</h3>
<div class="scroll"><table class="bench"><thead><tr><th>times</th><th class="number">batch</th><th class="number">m</th><th class="number">n</th><th class="number">k</th><th>fastest form</th><th class="number">each</th><th class="number">GFLOP/s</th></tr></thead><tbody>
${products.map((product) => `<tr><th>${Number(product.count.toFixed(2))}</th>${[product.batch, product.m, product.n, product.k].map((size) => `<td class="number">${size}</td>`).join("")}<td>${product.form}</td><td class="number">${product.milliseconds.toFixed(2)} ms</td><td class="number">${product.gigaflopsPerSecond.toFixed(0)}</td></tr>`).join("\n")}
</tbody></table></div>`,
  )
  .join("\n")}</details>`

const operatorDetails = (
  profiles: readonly (readonly [string, Profile])[],
): string => `<details><summary>Operators, one by one</summary>
${profiles
  .map(
    ([
      name,
      { operators, seconds, host, compiling, rest },
    ]) => `<h3>${escapeHtml(name)}: ${duration(seconds)} under the profiler, ${duration(host)} of it in host kernels (optimizer, clipping, masks), ${duration(compiling)} in compiling, ${duration(rest)} outside of operators</h3>
<div class="scroll"><table class="bench"><thead><tr><th>operator</th><th class="number">nodes</th><th class="number">time</th><th class="number">share</th></tr></thead><tbody>
${operators.map((each) => `<tr><th>${escapeHtml(each.operator)}</th><td class="number">${Number(each.count.toFixed(1))}</td><td class="number">${duration(each.seconds)}</td><td class="number">${percent(each.seconds / seconds)}</td></tr>`).join("\n")}
</tbody></table></div>`,
  )
  .join("\n")}</details>`

/** Settings, one a line. */
const shown = (settings: object): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    .join("\n")
