import { escapeHtml, type Kind } from "@tandem/report"
import type { RejectedLine } from "../ConversationFile.ts"
import { type AuditedRow, reasonKind } from "./CollectAudit.ts"
import { filterScript, itemsStyle } from "./ItemsPage.ts"

/** Rows and rejected items, to be filtered. */
export interface Items {
  readonly rows: readonly AuditedRow[]
  readonly rejected: readonly RejectedLine[]
}

/** Characters of a chunk that are shown before it is unfolded. */
const opening = 360

/** Rows with what is masked and trained, what was shown with the true chunk marked, and rejected items with their reasons. */
export const itemsKind: Kind<Items> = {
  render: ({ rows, rejected }) => {
    if (rows.length + rejected.length === 0) return ""
    const stages = [...new Set(rejected.map(({ stage }) => stage))]
    const reasons = [
      ...new Set([
        ...rejected.map(({ reason }) => reasonKind(reason)),
        ...rows.flatMap(({ findings }) => findings.map(({ check }) => check)),
      ]),
    ].sort()
    return `${filters(stages, reasons)}
<div class="items">${[...rows.map(rowHtml), ...rejected.map(rejectedHtml)].join("\n")}</div>
<p class="note none" hidden>Nothing is left of these filters.</p>`
  },
  style: itemsStyle,
  script: filterScript,
}

const filters = (stages: readonly string[], reasons: readonly string[]): string => {
  const choice = (id: string, label: string, options: readonly string[]): string =>
    options.length === 0
      ? ""
      : `<label for="${id}">${label}<select id="${id}"><option value="">any</option>${options
          .map((option) => `<option>${escapeHtml(option)}</option>`)
          .join("")}</select></label>`
  const kinds = ["all", "success", "failed", "rejected", "faulty"]
  return `<form class="filters" aria-label="Filters">
<fieldset><legend>Show</legend>${kinds
    .map(
      (kind, at) =>
        `<label class="pill"><input type="radio" name="kind" value="${kind}"${at === 0 ? " checked" : ""}><span>${kind}</span></label>`,
    )
    .join("")}</fieldset>
${choice("stage", "Rejected by", stages)}${choice("reason", "Reason", reasons)}
<label for="words" class="grow">Words<input id="words" type="search" placeholder="in texts, sources"></label>
<output aria-live="polite"></output>
</form>
<p class="legend"><span class="trained">trained</span> counts in the loss, <span class="masked">masked</span> is only read; <span class="badge true">true chunk</span> is what the question is about.</p>`
}

interface Data {
  readonly kind: "success" | "failed" | "rejected"
  readonly stage?: string
  readonly reasons: readonly string[]
}

const article = ({ kind, stage = "", reasons }: Data, summary: string, body: string): string =>
  `<details class="item" data-kind="${kind}" data-stage="${escapeHtml(stage)}" data-reasons="${escapeHtml(reasons.join("|"))}"><summary>${summary}</summary>
${body}</details>`

const badge = (kind: string, text: string): string => `<span class="badge ${kind}">${escapeHtml(text)}</span>`

const rowHtml = ({ item, row, findings }: AuditedRow): string => {
  const kind = item.failed ? "failed" : "success"
  const turns = row.turns.slice(-row.own.turns)
  const question = turns.find(({ role }) => role === "user")?.text ?? ""
  const faults =
    findings.length === 0
      ? ""
      : `<ul class="faults">${findings
          .map(
            ({ check, turn, detail }) =>
              `<li><b>${escapeHtml(check)}</b>${turn === undefined ? "" : `, turn ${turn + 1}`}: ${escapeHtml(detail)}</li>`,
          )
          .join("")}</ul>`
  const summary = `<span class="question">${escapeHtml(question)}</span><span class="badges">${badge(kind, item.failed ? "retrieval failed" : "success")}${
    findings.length === 0 ? "" : badge("faulty", "faulty")
  }<span class="source">${escapeHtml(item.chunk.source)}</span></span>`
  return article(
    { kind, reasons: findings.map(({ check }) => check) },
    summary,
    `${faults}${shownHtml(item)}<h3>What is read and learned</h3><div class="segments">${segmentsHtml(row)}</div>${thoughtsHtml(turns)}`,
  )
}

const segmentsHtml = ({ segments, own }: AuditedRow["row"]): string => {
  const earlier = segments.length - own.segments
  const span = ({ label, text }: { readonly label: boolean; readonly text: string }): string =>
    `<span class="${label ? "trained" : "masked"}">${escapeHtml(text)}</span>`
  const folded = segments.slice(0, earlier)
  const characters = folded.reduce((sum, { text }) => sum + text.length, 0)
  const before =
    folded.length === 0
      ? ""
      : `<details class="before"><summary>the system's turn${
          folded.length > 1 ? ` and ${folded.length - 1} earlier` : ""
        }, masked: ${characters} characters</summary>${folded.map(span).join("")}</details>`
  return `${before}${segments.slice(earlier).map(span).join("")}`
}

const thoughtsHtml = (turns: readonly { readonly thoughts?: string }[]): string => {
  const thoughts = turns.flatMap(({ thoughts: thought }) => (thought === undefined ? [] : [thought]))
  if (thoughts.length === 0) return ""
  return `<h3>Thoughts</h3>${thoughts.map((thought) => `<p class="thoughts">${escapeHtml(thought)}</p>`).join("")}`
}

const shownHtml = ({ shown, chunk, multi, failed }: AuditedRow["item"]): string => {
  const truth = (multi ?? [chunk]).map(({ id }) => id)
  const shownList = shown.map((one) => chunkHtml(one, truth.includes(one.id) ? badge("true", "true chunk") : ""))
  const asked = failed
    ? `<h3>Asked about, not shown</h3><ol class="chunks">${chunkHtml(chunk, badge("true", "true chunk"))}</ol>`
    : ""
  return `<h3>Shown</h3><ol class="chunks">${shownList.join("")}</ol>${asked}`
}

const chunkHtml = ({ source, heading = "", text }: AuditedRow["item"]["chunk"], mark: string): string => {
  const rest = text.length - opening
  const shown =
    rest <= 120
      ? `<p>${escapeHtml(text)}</p>`
      : `<details class="more"><summary><span>${escapeHtml(text.slice(0, opening).replace(/[\ud800-\udbff]$/, ""))}</span> <u>…${rest} more characters</u></summary><p>${escapeHtml(text)}</p></details>`
  return `<li${mark === "" ? "" : ' class="is-true"'}><p class="meta"><span class="source">${escapeHtml(source)}</span>${
    heading === "" ? "" : ` · ${escapeHtml(heading)}`
  }${mark === "" ? "" : ` ${mark}`}</p>${shown}</li>`
}

const rejectedHtml = ({ item, stage, reason, turns = [] }: RejectedLine): string => {
  const asked = turns.find(({ role }) => role === "user")?.text
  const chunk = item.chunk.text.replace(/\s+/g, " ")
  const title = asked ?? (chunk.length > 90 ? `${chunk.slice(0, 90).replace(/[\ud800-\udbff]$/, "")}…` : chunk)
  const said = turns.map(({ role, text }) => `<p><b>${role}</b> ${escapeHtml(text)}</p>`)
  return article(
    { kind: "rejected", stage, reasons: [reasonKind(reason)] },
    `<span class="question">${escapeHtml(title)}</span><span class="badges">${badge("rejected", `rejected by ${stage}`)}<span class="source">${escapeHtml(item.chunk.source)}</span></span><span class="reason">${escapeHtml(reason.slice(0, 300))}</span>`,
    `${
      item.shown.length === 0
        ? `<h3>The chunk</h3><ol class="chunks">${chunkHtml(item.chunk, badge("true", "true chunk"))}</ol>`
        : shownHtml(item)
    }${said.length === 0 ? "" : `<h3>What was said</h3><div class="said">${said.join("")}</div>`}`,
  )
}
