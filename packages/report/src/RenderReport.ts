import { chartScript } from "./ChartScript.ts"
import { type Curve, curves } from "./Curves.ts"
import { plotPage } from "./Document.ts"
import { examplesSection } from "./Examples.ts"
import { factsSection } from "./Facts.ts"
import { type Comparison, compare, figuresSection } from "./Figures.ts"
import { duration, escapeHtml, figure, quantity } from "./Html.ts"
import type { ReportAssets, ReportData } from "./ReportData.ts"

/**
 * `report.html`: one file that needs nothing from anywhere. Works for a run that has not ended, or that had nothing to
 * be evaluated with; whatever the data hold is shown as text and never becomes markup.
 */
export const renderReport = (data: ReportData, assets: ReportAssets): string => {
  const { report, steps, evaluations, examples, config, statistics, warnings } = data
  const comparison = compare(data)
  const shown = curves(steps, evaluations, comparison.before)
  const title = headline(data, comparison)
  const main = `<header>
<p class="eyebrow">tandem ${escapeHtml(report.command)}</p>
<h1>${escapeHtml(title)}</h1>
${summary(data)}
</header>
${statusNotice(data)}${warningNotice(warnings)}
${figuresSection(comparison)}
${curvesSection(shown)}
${examplesSection(examples)}
${factsSection(config, statistics)}`
  return plotPage(
    { title: `${title} · ${report.command}`, main, data: { id: "curves", value: shown }, script: chartScript },
    assets,
  )
}

/** The page's one sentence: what training did to the first figure that there is. */
const headline = ({ report, steps }: ReportData, { before, after }: Comparison): string => {
  const name = ["recall@1", "answerRecall@1", "mrr@10"].find((wanted) => after?.[wanted] !== undefined)
  const [from, to] = name === undefined ? [] : [before?.[name], after?.[name]]
  if (name === undefined || to === undefined) {
    const done = Math.max(report.steps, steps.at(-1)?.step ?? 0)
    return done === 0 ? "Training has not begun" : `Trained for ${quantity(done)} steps`
  }
  return from === undefined ? `${name} ${figure(to)}` : `${name} from ${figure(from)} to ${figure(to)}`
}

const statuses = {
  running: "running",
  interrupted: "interrupted",
  diverged: "diverged",
  completed: "completed",
} as const

const summary = ({ report, steps }: ReportData): string => {
  const last = steps.at(-1)
  const facts = [
    ["status", `<span class="status ${statuses[report.status]}">${statuses[report.status]}</span>`],
    ["steps", quantity(Math.max(report.steps, last?.step ?? 0))],
    ["epochs", last === undefined ? "" : last.epoch.toFixed(last.epoch < 10 ? 2 : 1)],
    ["time", duration(report.seconds)],
    ["peak memory", `${quantity(Math.round(report.peakMemoryMiB))} MiB`],
    ["device", escapeHtml(report.device ?? "")],
    ["weights of", report.savedStep === undefined ? "" : `step ${quantity(report.savedStep)}`],
  ]
  const shown = facts.filter(([, value]) => value !== "")
  return `<dl class="summary">${shown.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>`
}

const statusNotice = ({ report, steps, plannedSteps }: ReportData): string => {
  if (report.status === "completed") return ""
  const done = quantity(Math.max(report.steps, steps.at(-1)?.step ?? 0))
  const place = plannedSteps === undefined ? `step ${done}` : `step ${done} of ${quantity(plannedSteps)}`
  const sentence = {
    running: `This run has not ended: it is at ${place}.`,
    interrupted: `This run was interrupted at ${place}. The same command with --resume goes on from its last checkpoint.`,
    diverged: `Training diverged at ${place}. Earlier checkpoints are intact; a lower learning rate may help.`,
  }[report.status]
  return `<p class="notice">${escapeHtml(sentence)}</p>`
}

const warningNotice = (warnings: readonly string[]): string =>
  warnings.length === 0
    ? ""
    : `<div class="notice warning"><p>${warnings.length === 1 ? "A warning" : `${warnings.length} warnings`}</p><ul>${warnings
        .map((warning) => `<li>${escapeHtml(warning)}</li>`)
        .join("")}</ul></div>`

const curvesSection = (shown: readonly Curve[]): string =>
  shown.length === 0
    ? ""
    : `<section aria-labelledby="curves-title"><h2 id="curves-title">Training</h2><div class="curves">${shown
        .map(
          ({ id, title }) =>
            `<figure><figcaption>${escapeHtml(title)}</figcaption><div class="chart" id="chart-${id}"></div></figure>`,
        )
        .join("")}</div><noscript><p class="notice">The curves need JavaScript.</p></noscript></section>`
