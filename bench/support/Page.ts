// bench/out/index.html: one file with every record, its ratios with their spread, and how costs grow.
import { embedJson, embedScript, embedStyle, escapeHtml } from "@tandem/dpr/report/Html"
import type { ReportAssets } from "@tandem/dpr/report/ReportData"
import { style } from "@tandem/dpr/report/Style"
import type { Compared, Limit } from "./Compare.ts"
import { pageScript } from "./PageScript.ts"
import { type BenchmarkRecord, comparisons, duration, range, type Scaled, scalings } from "./Records.ts"
import { spread } from "./Spread.ts"

/** The whole page; it needs nothing from anywhere. */
export const renderPage = (records: readonly BenchmarkRecord[], assets: ReportAssets): string => {
  const compared = records.filter((record) => comparisons(record).length > 0)
  const grown = records.flatMap(scalings)
  const scale = ratioScale(compared.flatMap((record) => comparisons(record).map(([, each]) => each)))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<title>Tandem's benchmarks</title>
<style>${embedStyle(assets.uplotStyle)}</style>
<style>${style}${ownStyle}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">npm run bench</p>
<h1>As fast as its peers?</h1>
${summary(records)}
</header>
<p class="note">Both sides work in turn on the same machine. A ratio is the peer's time over ours in the same round: right of the line
at 1 ours is faster. Dots are rounds, the bar goes from the least to the largest, the large mark is the median, the
hollow one the goal. Memory is our peak over the peer's. Products: the share of our step that its matrix products
need alone, each in its fastest form.</p>
${compared.map((record) => recordSection(record, scale)).join("\n")}
${grown.length === 0 ? "" : scalingSection(grown)}
</main>
<script>${embedScript(assets.uplotScript)}</script>
<script type="application/json" id="scalings">${embedJson(grown.map(([name, scaled]) => ({ name, ...scaled })))}</script>
<script>${embedScript(pageScript)}</script>
</body>
</html>
`
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
.strip .goal { fill: var(--page); stroke: var(--bm25); stroke-width: 2; }
.bench + details { margin-top: .75rem; font-size: .9375rem; } details summary { cursor: pointer; color: var(--soft); }
details .bench { margin: .5rem 0 1rem; font-size: .875rem; } details .bench td, details .bench tbody th { padding-top: .2rem; padding-bottom: .2rem; }
.scroll { overflow-x: auto; }
.against { color: var(--soft); font-size: .875rem; margin: -.75rem 0 1rem; }
@media (max-width: 46rem) {
  .bench.rows thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .bench.rows, .bench.rows tbody { display: block; }
  .bench.rows tbody tr { display: flex; flex-wrap: wrap; gap: .1rem 1.25rem; padding: .7rem 0; }
  .bench.rows tbody th, .bench.rows td { padding: 0; }
  .bench.rows tbody th, .bench.rows .plot { flex: 1 0 100%; }
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
  const unmet = Object.entries(record.holds ?? {}).filter(([, held]) => !held)
  return `<section aria-labelledby="${name}"><h2 id="${name}">${escapeHtml(capital(settings.work))}</h2>
<p class="against">${settings.against === undefined ? "" : `against ${escapeHtml(settings.against)}; `}times of one ${escapeHtml(settings.unit ?? "run")}</p>
<table class="bench rows"><thead><tr><th>case</th><th class="number">ours</th><th class="number">theirs</th><th class="number">speed</th><th class="number">memory</th><th class="plot">ratio of each round</th></tr></thead>
<tbody>${rows.map(([row, compared]) => comparisonRow(row, compared, scale)).join("\n")}</tbody></table>
${limits.length === 0 ? "" : limitDetails(limits)}
<details><summary>How it was measured</summary>${unmet.length === 0 ? "" : `<p>Not reached: ${escapeHtml(unmet.map(([sentence]) => sentence).join("; "))}.</p>`}
<p><code>${escapeHtml(command)}</code>, ${seconds.toFixed(0)} s; ${escapeHtml([...new Set(all)].join(", "))}.</p>
<pre class="scroll"><code>${escapeHtml(shown(settings))}</code></pre></details></section>`
}

const comparisonRow = (name: string, compared: Compared, scale: RatioScale): string => {
  const { ours, peer, ratio, memory, targets = {}, limit } = compared
  const cell = (title: string, text: string): string => `<td class="number" data-name="${title}">${text}</td>`
  const theirs = typeof peer === "string" ? peer : duration(peer.seconds.median)
  const share = limit === undefined ? "" : `<br><small>products ${range(limit.share)}</small>`
  const memories =
    memory === undefined || typeof peer === "string"
      ? `${ours.peakMemoryMiB} MiB`
      : `<span class="${judged(memory <= (targets.memory ?? 1))}">${memory.toFixed(2)}</span><br><small>${ours.peakMemoryMiB} / ${peer.peakMemoryMiB} MiB</small>`
  const speed =
    ratio === undefined
      ? "–"
      : `<span class="${judged(ratio.median >= (targets.speed ?? 1))}">${ratio.median.toFixed(2)}</span><br><small>${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}</small>`
  return `<tr><th scope="row">${escapeHtml(name)}${share}</th>${cell("ours", duration(ours.seconds.median))}${cell("theirs", escapeHtml(theirs))}${cell("speed", speed)}${cell("memory", memories)}<td class="plot">${strip(compared, scale)}</td></tr>`
}

const judged = (good: boolean): string => (good ? "better" : "worse")

const width = 300

/** The rounds' ratios on one line. */
const strip = ({ rounds, ratio, targets }: Compared, scale: RatioScale): string => {
  if (ratio === undefined) return ""
  const x = (value: number): string => (scale(value) * width).toFixed(1)
  const ratios = rounds.flatMap(({ ours, peer }) => (peer === undefined ? [] : [peer / ours]))
  const { median, min, max } = spread(ratios)
  const goal = targets?.speed
  const ticks = [0.25, 0.5, 1, 2, 4].filter((tick) => scale(tick) >= 0 && scale(tick) <= 1)
  return `<svg class="strip" viewBox="0 0 ${width} 36" role="img" aria-label="median ${median.toFixed(2)}, from ${min.toFixed(2)} to ${max.toFixed(2)}">
<line class="axis" x1="0" x2="${width}" y1="13" y2="13"/><line class="one" x1="${x(1)}" x2="${x(1)}" y1="3" y2="24"/>
${ticks.map((tick) => `<text x="${x(tick)}" y="34">${tick}</text>`).join("")}
<g${median < 1 ? ' class="slow"' : ""}><line class="range" x1="${x(min)}" x2="${x(max)}" y1="13" y2="13"/>
${ratios.map((value) => `<circle class="round" cx="${x(value)}" cy="13" r="2.5"/>`).join("")}
${goal === undefined ? "" : `<circle class="goal" cx="${x(goal)}" cy="13" r="4"/>`}<circle class="median" cx="${x(median)}" cy="13" r="6"/></g></svg>`
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
