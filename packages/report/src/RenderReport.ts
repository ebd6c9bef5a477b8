import { htmlPage, type ReportAssets } from "./Document.ts"
import { escapeHtml, prose } from "./Html.ts"
import type { KindsOf, SectionHead, SectionOf } from "./Kind.ts"
import { type Contents, kinds } from "./Kinds.ts"
import type { Notice, Report } from "./Report.ts"

/**
 * A function that renders reports of these kinds of sections into single HTML files that need nothing from anywhere.
 * Whatever the data hold is shown as text. Sections without content are left out.
 *
 * `renderReport` is this with the kinds that every page knows; a page with a kind of its own passes
 * `{ ...kinds, own }`.
 */
export const reportRenderer =
  <All>(all: KindsOf<All>) =>
  ({ sections, ...head }: Report<SectionOf<All>>, assets: ReportAssets): string => {
    const content = <Name extends keyof All>(section: SectionOf<All, Name>): string => all[section.kind].render(section)
    const shown = sections.map((section) => ({ section, html: content(section) })).filter(({ html }) => html !== "")
    const used = [...new Set(shown.map(({ section }) => section.kind))].map((name) => all[name])
    const main = [
      header(head),
      ...(head.lead ?? []).map((paragraph) => `<p class="note lead">${prose(paragraph)}</p>`),
      ...head.notices.map(notice),
      ...shown.map(({ section, html }, index) => frame(section, `section-${index + 1}`, html)),
    ]
    return htmlPage(
      {
        title: `${head.title} · ${head.command}`,
        styles: used.map(({ style = "" }) => style),
        main: main.join("\n"),
        scripts: used.map(({ script = "" }) => script),
        plots: used.some(({ plots = false }) => plots),
      },
      assets,
    )
  }

/** One HTML file that shows a report made of the kinds of sections that every page knows. */
export const renderReport = reportRenderer<Contents>(kinds)

const header = ({ command, title, status, summary }: Omit<Report<never>, "sections">): string => {
  const facts = summary.map(([name, value]) => [escapeHtml(name), escapeHtml(value)] as const)
  const all = status === undefined ? facts : [["status", `<span class="status ${status}">${status}</span>`], ...facts]
  return `<header>
<p class="eyebrow">${escapeHtml(command)}</p>
<h1>${escapeHtml(title)}</h1>
<dl class="summary">${all.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join("")}</dl>
</header>`
}

const notice = ({ text, items = [], level }: Notice): string =>
  `<div class="notice ${level ?? ""}"><p>${prose(text)}</p>${
    items.length === 0 ? "" : `<ul>${items.map((item) => `<li>${escapeHtml(item)}</li>`).join("")}</ul>`
  }</div>`

const frame = ({ title, intro, notes = [] }: SectionHead, id: string, html: string): string =>
  `<section aria-labelledby="${id}"><h2 id="${id}">${escapeHtml(title)}</h2>
${intro === undefined ? "" : `<p class="note intro">${prose(intro)}</p>\n`}${html}${notes
  .map((note) => `\n<p class="note">${prose(note)}</p>`)
  .join("")}</section>`
