import type { Color } from "../Color.ts"
import { escapeHtml, figure } from "../Html.ts"
import type { Kind } from "../Kind.ts"
import { leafed, unfoldToPrint } from "./Leafed.ts"

/** A passage as a page shows it; one that is not there to be shown has an id alone. */
export interface ShownPassage {
  readonly id: string
  readonly text?: string
  readonly title?: string
}

/** What one system found for a question, best first. */
export interface Column {
  readonly system: string
  readonly color: Color
  readonly passages: readonly (ShownPassage & { readonly score: number })[]
  /** The place, from 1, of the first passage that answers, where it is known beyond the passages given here. */
  readonly place?: number
}

/** A question with what each system found. */
export interface Example {
  /** Questions of the same name stand together below it: `Most improved`. */
  readonly group?: string
  readonly question: string
  readonly answers: readonly string[]
  /** The passages that answer it. */
  readonly gold: readonly ShownPassage[]
  readonly columns: readonly Column[]
}

/** Questions to leaf through. */
export interface Examples {
  readonly examples: readonly Example[]
}

/** Characters of a passage that are shown. */
const shownCharacters = 280
/** Passages of each system that are shown. */
const shownPassages = 3
/** Passages that answer and that no system found: how many are shown. */
const shownGold = 3
/** Questions of each group that are unfolded from the start. */
const unfolded = 1

export const examples: Kind<Examples> = {
  render: ({ examples: all }) => {
    if (all.length === 0) return ""
    const groups = [...new Set(all.map(({ group = "" }) => group))]
    const shown = groups.map((name) => {
      const members = all.filter(({ group = "" }) => group === name)
      const title = name === "" ? "" : `<h3 class="examples">${escapeHtml(name)}</h3>`
      return `${title}<div>${members.map((example, index) => one(example, index < unfolded)).join("\n")}</div>`
    })
    return `<p class="note">The first ${shownPassages} passages of each system. <span class="gold">gold</span> marks passages that answer the question.</p>
${shown.join("\n")}`
  },
  style: `
h3.examples { margin: 2rem 0 .75rem; font-size: 1rem; }
${leafed}.missed { margin: 1rem 0 0 1.25rem; max-width: 46rem; }
.systems { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 1.25rem; margin: 1rem 0 0 1.25rem; }
.passages { list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem; }
.passages li { border-left: 3px solid var(--line); padding: .1rem 0 .1rem .75rem; min-width: 0; overflow-wrap: anywhere; }
.passages li.is-gold { border-color: #d9a514; }
.passages p { margin: 0; }
.passages .title { font-weight: 600; font-size: .9375rem; }
.passages .text { font-size: .9375rem; }
mark { background: var(--mark); color: inherit; border-radius: 2px; box-shadow: 0 0 0 1px var(--mark); }
@media (max-width: 46rem) { .systems, .missed { margin-left: 0; } }
`,
  script: unfoldToPrint,
}

const one = (example: Example, open: boolean): string => {
  const { question, answers, gold } = example
  const columns = example.columns.filter(({ passages }) => passages.length > 0)
  const places = (gold.length === 0 ? [] : columns).map((column) => {
    const place = placeOf(column, gold)
    return `<span class="place ${place === 1 ? "first" : ""}"><i class="dot ${column.color}"></i>${escapeHtml(column.system)}: ${place === undefined ? "not found" : `place ${place}`}</span>`
  })
  const answered =
    answers.length === 0
      ? ""
      : `<p class="answers">Answer: ${answers.map((answer) => `<q>${escapeHtml(answer)}</q>`).join(", ")}</p>`
  return `<details class="example"${open ? " open" : ""}><summary><span class="question">${escapeHtml(question)}</span><span class="places">${places.join("")}</span></summary>
${answered}${missed(columns, example)}<div class="systems">${columns.map((column) => found(column, example)).join("")}</div></details>`
}

/** Where the first passage that answers stands. */
const placeOf = ({ passages, place }: Column, gold: readonly ShownPassage[]): number | undefined => {
  const index = passages.findIndex(({ id }) => gold.some((each) => each.id === id))
  return place ?? (index < 0 ? undefined : index + 1)
}

/** The passages that answer, where none of them is among those that are shown. */
const missed = (columns: readonly Column[], { gold, answers }: Example): string => {
  const seen = columns.flatMap(({ passages }) => passages.slice(0, shownPassages).map(({ id }) => id))
  if (gold.length === 0 || gold.some(({ id }) => seen.includes(id))) return ""
  const more = gold.length - shownGold
  return `<div class="missed"><h3>${columns.length === 0 ? "What answers" : "What answers, and is not among the first"}</h3><ol class="passages">${gold
    .slice(0, shownGold)
    .map((passage) => item(passage, true, answers))
    .join("")}</ol>${more > 0 ? `<p class="note">and ${more} more</p>` : ""}</div>`
}

const found = ({ system, color, passages }: Column, { gold, answers }: Example): string =>
  `<div class="system"><h3><i class="dot ${color}"></i>${escapeHtml(system)}</h3><ol class="passages">${passages
    .slice(0, shownPassages)
    .map((passage) =>
      item(
        passage,
        gold.some(({ id }) => id === passage.id),
        answers,
      ),
    )
    .join("")}</ol></div>`

const item = (
  { id, score, text, title }: ShownPassage & { readonly score?: number },
  isGold: boolean,
  answers: readonly string[],
): string => {
  const head = `${isGold ? '<span class="gold">gold</span> ' : ""}<span class="id">${escapeHtml(id)}</span>${
    score === undefined ? "" : ` <span class="score">${figure(score)}</span>`
  }`
  const named = title === undefined || title === "" ? "" : `<p class="title">${escapeHtml(title)}</p>`
  const body =
    text === undefined
      ? `<p class="note">not in the corpus</p>`
      : `<p class="text">${marked(excerpt(text, answers), answers)}</p>`
  return `<li${isGold ? ' class="is-gold"' : ""}><p class="meta">${head}</p>${named}${body}</li>`
}

/** The text's beginning, or what stands around an answer that comes later. */
const excerpt = (text: string, answers: readonly string[]): string => {
  if (text.length <= shownCharacters) return text
  const [at, end] = answerIn(text, answers) ?? [0, 0]
  const skipped = end <= shownCharacters ? 0 : spaceBefore(text, at - shownCharacters / 3)
  const rest = text.slice(skipped)
  const shown = rest.length > shownCharacters ? `${whole(rest.slice(0, spaceBefore(rest, shownCharacters)))} …` : rest
  return skipped === 0 ? shown : `… ${whole(shown)}`
}

/** The place of the last space before a limit, or the limit where there is none near. */
const spaceBefore = (text: string, limit: number): number => {
  const space = text.lastIndexOf(" ", limit)
  return Math.floor(space > limit / 2 ? space : limit)
}

/** Without half of a character outside the basic plane at its ends. */
const whole = (text: string): string => text.replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "").trim()

/** Where the first answer that the text holds stands. */
const answerIn = (text: string, answers: readonly string[]): readonly [number, number] | undefined => {
  const lower = text.toLowerCase()
  const answer = answers.find((wanted) => wanted !== "" && lower.includes(wanted.toLowerCase()))
  // Lower case can be longer than the text itself; then places do not correspond.
  if (answer === undefined || lower.length !== text.length) return undefined
  const at = lower.indexOf(answer.toLowerCase())
  return [at, at + answer.length]
}

/** The text with the first place of an answer marked, as HTML. */
const marked = (text: string, answers: readonly string[]): string => {
  const place = answerIn(text, answers)
  if (place === undefined) return escapeHtml(text)
  const [at, end] = place
  return `${escapeHtml(text.slice(0, at))}<mark>${escapeHtml(text.slice(at, end))}</mark>${escapeHtml(text.slice(end))}`
}
