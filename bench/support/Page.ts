// bench/out/index.html: one file with every record, its ratios with their spread, and how costs grow.
import { plotPage } from "@tandem/report/Document"
import { escapeHtml } from "@tandem/report/Html"
import type { ReportAssets } from "@tandem/report/ReportData"
import { type Compared, type Goal, goalsOf, type Limit } from "./Compare.ts"
import { pageScript } from "./PageScript.ts"
import { type Profile, profileParts } from "./Profile.ts"
import {
  type BenchmarkRecord,
  comparisons,
  duration,
  goalWords,
  missedGoals,
  percent,
  range,
  type Scaled,
  scalings,
} from "./Records.ts"
import { spread } from "./Spread.ts"

/** The whole page; it needs nothing from anywhere. */
export const renderPage = (records: readonly BenchmarkRecord[], assets: ReportAssets): string => {
  const compared = records.filter((record) => comparisons(record).length > 0)
  const grown = records.flatMap(scalings)
  const scale = ratioScale(compared.flatMap((record) => comparisons(record).map(([, each]) => each)))
  const main = `<header>
<p class="eyebrow">npm run bench</p>
<h1>As fast as its peers?</h1>
${summary(records)}
</header>
<p class="note">Both sides work in turn on the same machine. A ratio is the peer's time over ours in the same round: right of the line
at 1 ours is faster. Dots are rounds, the bar goes from the least to the largest, the large mark is the median, the
upright line the goal. Memory is our peak over the peer's. Products: the share of our step that its matrix products
need alone, each in its fastest form. The bars below a row show where our time goes, as ONNX Runtime's profiler tells it in
a process of its own after the rounds. What holds back a goal that is not reached, and what was tried, stands in
<a href="../../docs/performance.md">docs/performance.md</a>.</p>
${compared.map((record) => recordSection(record, scale)).join("\n")}
${grown.length === 0 ? "" : scalingSection(grown)}`
  const value = grown.map(([name, scaled]) => ({ name, ...scaled }))
  const data = { id: "scalings", value }
  return plotPage({ title: "Tandem's benchmarks", style: ownStyle, main, data, script: pageScript }, assets)
}

const ownStyle = `
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
.strip .range { stroke: var(--after); stroke-width: 4; opacity: .45; stroke-linecap: round; }
.strip .round { fill: var(--after); opacity: .7; }
.strip .median { fill: var(--after); stroke: var(--page); stroke-width: 2; }
.strip .slow .median, .strip .slow .round { fill: var(--bad); } .strip .slow .range { stroke: var(--bad); }
.strip .goal { stroke: var(--bm25); stroke-width: 2.5; stroke-linecap: round; }
.note a { color: var(--after); }
.bench + details { margin-top: .75rem; font-size: .9375rem; } details summary { cursor: pointer; color: var(--soft); }
details .bench { margin: .5rem 0 1rem; font-size: .875rem; } details .bench td, details .bench tbody th { padding-top: .2rem; padding-bottom: .2rem; }
.bench.rows tbody .parts { border-top: 0; } .bench.rows .parts td { padding: 0 .25rem .9rem 0; }
.parts p { margin: 0 0 .4rem; font-size: .8125rem; color: var(--bad); }
.bars { display: grid; grid-template-columns: repeat(auto-fill, minmax(11.5rem, 1fr)); gap: .3rem 1.25rem; margin: 0; padding: 0; list-style: none; font-size: .8125rem; }
.bars li { display: grid; grid-template-columns: 1fr auto; color: var(--soft); } .bars b { color: var(--ink); font-weight: 500; }
.bars i { grid-column: 1 / -1; height: 3px; margin-top: .1rem; border-radius: 2px; background: var(--after); }
.scroll { overflow-x: auto; }
.against { color: var(--soft); font-size: .875rem; margin: -.75rem 0 1rem; }
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

const summary = (records: readonly BenchmarkRecord[]): string => {
  const each = (values: readonly string[]): string => [...new Set(values)].join("; ")
  const verdicts = records.flatMap(({ holds = {} }) => Object.values(holds))
  const facts = [
    ["goals reached", `${verdicts.filter((held) => held).length} of ${verdicts.length}`],
    ["machine", each(records.map(({ machine }) => `${machine.cpu}, ${machine.cores} cores, ${machine.platform}`))],
    ["measured", each(records.map(({ date }) => date).sort())],
    ["minutes", (records.reduce((sum, { seconds }) => sum + seconds, 0) / 60).toFixed(0)],
  ]
  return `<dl class="summary">${facts.map(([name, value = ""]) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`).join("")}</dl>`
}

/** Where a ratio lies on the strips: a share of their width, by its logarithm. */
type RatioScale = (ratio: number) => number

const ratioScale = (all: readonly Compared[]): RatioScale => {
  const values = all.flatMap(({ ratio, targets }) => [ratio?.min ?? 1, ratio?.max ?? 1, targets?.speed ?? 1])
  const [low, high] = [Math.log(Math.min(0.5, ...values) / 1.1), Math.log(Math.max(2, ...values) * 1.1)]
  return (ratio) => (Math.log(ratio) - low) / (high - low)
}

const recordSection = (record: BenchmarkRecord, scale: RatioScale): string => {
  const { name, settings, command, versions, seconds } = record
  const rows = comparisons(record)
  const peers = rows.flatMap(([, { peer }]) => (typeof peer === "string" ? [] : Object.entries(peer.versions)))
  const all = [...Object.entries(versions), ...peers].map(([each, version]) => `${each} ${version}`)
  const limits = rows.flatMap(([row, { limit }]) => (limit === undefined ? [] : [[row, limit] as const]))
  const profiles = rows.flatMap(([row, { profile }]) => (profile === undefined ? [] : [[row, profile] as const]))
  const unmet = Object.entries(record.holds ?? {}).filter(([, held]) => !held)
  return `<section aria-labelledby="${name}"><h2 id="${name}">${escapeHtml(capital(settings.work))}</h2>
<p class="against">${settings.against === undefined ? "" : `against ${escapeHtml(settings.against)}; `}times of ${escapeHtml(unitWords(settings.unit ?? "run"))}</p>
<table class="bench rows"><thead><tr><th>case</th><th class="number">ours</th><th class="number">theirs</th><th class="number">speed</th><th class="number">memory</th><th class="plot">ratio of each round</th></tr></thead>
<tbody>${rows.map(([row, compared]) => comparisonRow(row, compared, scale)).join("\n")}</tbody></table>
${limits.length === 0 ? "" : limitDetails(limits)}
${profiles.length === 0 ? "" : operatorDetails(profiles)}
<details><summary>How it was measured</summary>${unmet.length === 0 ? "" : `<p>Not reached: ${escapeHtml(unmet.map(([sentence]) => sentence).join("; "))}.</p>`}
<p><code>${escapeHtml(command)}</code>, ${seconds.toFixed(0)} s; ${escapeHtml([...new Set(all)].join(", "))}.</p>
<pre class="scroll"><code>${escapeHtml(shown(settings))}</code></pre></details></section>`
}

/** A unit may be a count of things. */
const unitWords = (unit: string): string => (/^\d/.test(unit) ? unit : `one ${unit}`)

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

const scalingSection = (
  grown: readonly (readonly [string, Scaled])[],
): string => `<section aria-labelledby="scaling-title"><h2 id="scaling-title">How costs grow</h2>
<p class="note">Medians with their spread on logarithmic axes, and the power law nearest to them: an exponent of 1 is twice the time for
twice the size.</p>
<div class="scroll"><table class="bench"><thead><tr><th>cost</th><th>against</th><th class="number">exponent</th><th class="number">sizes</th><th class="number">times</th></tr></thead><tbody>
${grown.map(([name, { axis, exponent, points }]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(axis)}</td><td class="number">${exponent.toFixed(2)}</td><td class="number">${points[0]?.size}–${points.at(-1)?.size}</td><td class="number">${duration(points[0]?.seconds.median ?? 0)}–${duration(points.at(-1)?.seconds.median ?? 0)}</td></tr>`).join("\n")}
</tbody></table></div><br>
<div class="curves">${grown.map(([name, { exponent }], index) => `<figure><figcaption>${escapeHtml(name)}: power ${exponent.toFixed(2)}</figcaption><div class="chart" id="scaling-${index}"></div></figure>`).join("\n")}</div></section>`

/** Settings, one a line. */
const shown = (settings: object): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
    .join("\n")

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)
