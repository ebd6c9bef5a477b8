import { escapeHtml } from "./Html.ts"
import type { RankedPassage, ReportExample } from "./ReportData.ts"

/** Characters of a passage that are shown. */
const shownCharacters = 280
/** Passages of each system that are shown. */
const shownPassages = 3
/** Questions that are unfolded from the start. */
const unfolded = 3

/** Questions with what each system found for them. */
export const examplesSection = (examples: readonly ReportExample[]): string =>
  examples.length === 0
    ? ""
    : `<section aria-labelledby="examples"><h2 id="examples">Questions and what was found</h2>
<p class="note">The first ${shownPassages} passages of each system. <span class="gold">gold</span> marks the passages that answer the question.</p>
${examples.map((example, index) => one(example, index < unfolded)).join("\n")}</section>`

const one = (example: ReportExample, open: boolean): string => {
  const { query, answers, gold } = example
  const systems = [
    { name: "before", color: "before", found: example.before },
    { name: "BM25", color: "bm25", found: example.bm25 },
    { name: "after", color: "after", found: example.after },
  ].filter(({ found }) => found.length > 0)
  const places = systems.map(({ name, color, found }) => {
    const place = found.findIndex(({ id }) => gold.includes(id))
    const text = place < 0 || place >= shownPassages ? "not found" : `place ${place + 1}`
    return `<span class="place ${place === 0 ? "first" : ""}"><i class="dot ${color}"></i>${escapeHtml(name)}: ${text}</span>`
  })
  const answered =
    answers.length === 0
      ? ""
      : `<p class="answers">Answer: ${answers.map((answer) => `<q>${escapeHtml(answer)}</q>`).join(", ")}</p>`
  return `<details class="example"${open ? " open" : ""}><summary><span class="question">${escapeHtml(query)}</span><span class="places">${places.join("")}</span></summary>
${answered}<div class="systems">${systems.map(({ name, color, found }) => column(name, color, found, example)).join("")}</div></details>`
}

const column = (name: string, color: string, found: readonly RankedPassage[], example: ReportExample): string =>
  `<div class="system"><h3><i class="dot ${color}"></i>${escapeHtml(name)}</h3><ol>${found
    .slice(0, shownPassages)
    .map((passage) => item(passage, example))
    .join("")}</ol></div>`

const item = ({ id, score, text, title }: RankedPassage, { gold, answers }: ReportExample): string => {
  const isGold = gold.includes(id)
  const shown = text.length > shownCharacters ? `${cut(text, shownCharacters)} …` : text
  const head = `<span class="id">${escapeHtml(id)}</span> <span class="score">${score.toFixed(3)}</span>`
  return `<li${isGold ? ' class="is-gold"' : ""}><p class="meta">${isGold ? '<span class="gold">gold</span> ' : ""}${head}</p>${
    title === undefined || title === "" ? "" : `<p class="title">${escapeHtml(title)}</p>`
  }<p class="text">${marked(shown, answers)}</p></li>`
}

/** The text up to a space near the limit, and never half of a character outside the basic plane. */
const cut = (text: string, limit: number): string => {
  const space = text.lastIndexOf(" ", limit)
  return text.slice(0, space > limit / 2 ? space : limit).replace(/[\ud800-\udbff]$/, "")
}

/** The text with the first place of each answer marked, as HTML. */
const marked = (text: string, answers: readonly string[]): string => {
  const lower = text.toLowerCase()
  const answer = answers.find((wanted) => wanted !== "" && lower.includes(wanted.toLowerCase()))
  // Lower case can be longer than the text itself; then places do not correspond.
  if (answer === undefined || lower.length !== text.length) return escapeHtml(text)
  const at = lower.indexOf(answer.toLowerCase())
  const end = at + answer.length
  return `${escapeHtml(text.slice(0, at))}<mark>${escapeHtml(text.slice(at, end))}</mark>${escapeHtml(text.slice(end))}`
}
