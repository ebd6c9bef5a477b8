import { lineColor } from "../Color.ts"
import { escapeHtml } from "../Html.ts"
import type { Kind } from "../Kind.ts"
import type { ShownPassage } from "./Examples.ts"
import { leafed, unfoldToPrint } from "./Leafed.ts"

/** A passage with how likely it was before the answer was known, and after; from 0 to 1. */
export interface Source extends ShownPassage {
  readonly prior: number
  readonly posterior: number
  /** Whether the data say that it answers. */
  readonly gold: boolean
}

/** An answer that was written from several passages. */
export interface SourcedAnswer {
  /** Whose: `before`, `after`. */
  readonly system: string
  readonly right: boolean
  readonly sources: readonly Source[]
  /** The answer's text in pieces, and for each what every source contributes. */
  readonly tokens: readonly { readonly text: string; readonly weights: readonly number[] }[]
}

/** Questions to leaf through, with where their answers came from. */
export interface Sources {
  readonly questions: readonly {
    readonly question: string
    readonly expected: readonly string[]
    /** Answers without passages, by whose they are. */
    readonly plain: readonly { readonly system: string; readonly text: string; readonly right: boolean }[]
    readonly answers: readonly SourcedAnswer[]
  }[]
}

/** Characters of a passage that are shown. */
const shownCharacters = 240

export const sources: Kind<Sources> = {
  render: ({ questions }) =>
    questions.length === 0
      ? ""
      : `<p class="note">Each passage has a colour. Bars show how likely a passage is before the answer is known, and below it how much of the answer it explains. A word's colour is the passage that contributes most to it; the fainter, the less it alone decides.</p>
<div>${questions.map((each, index) => one(each, index === 0)).join("\n")}</div>`,
  style: `${leafed}
.told { margin: .75rem 0 0 1.25rem; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1.5rem; }
.told .said { font-size: 1.0625rem; margin: 0 0 .6rem; overflow-wrap: anywhere; }
.told .said span { background: color-mix(in srgb, var(--color) var(--w), transparent); border-radius: .2rem; padding: .05em 0; }
.told .verdict { font-size: .8125rem; margin-left: .5rem; }
.sources { list-style: none; margin: 0; padding: 0; display: grid; gap: .6rem; }
.sources li { border-left: 3px solid var(--color); padding-left: .75rem; min-width: 0; overflow-wrap: anywhere; }
.sources p { margin: 0; font-size: .9375rem; }
.shares { display: grid; grid-template-columns: 4rem 1fr 2.5rem; gap: .1rem .5rem; align-items: center; font-size: .75rem; color: var(--soft); margin: .2rem 0; }
.shares i { display: block; height: .4rem; border-radius: .2rem; background: var(--rail); overflow: hidden; }
.shares b { display: block; height: 100%; background: var(--color); }
.shares .after b { opacity: 1; } .shares .before b { opacity: .45; }
.shares em { font-style: normal; text-align: right; }
@media (max-width: 46rem) { .told { margin-left: 0; } }
`,
  script: unfoldToPrint,
}

type Question = Sources["questions"][number]

const one = ({ question, expected, plain, answers }: Question, open: boolean): string => {
  const verdicts = answers.map(
    ({ system, right }) =>
      `<span class="place ${right ? "first" : ""}">${escapeHtml(system)}: ${right ? "right" : "wrong"}</span>`,
  )
  const without = plain.map(
    ({ system, text, right }) =>
      ` ${escapeHtml(system)}: ${text === "" ? "nothing" : `<q>${escapeHtml(text)}</q>`}${right ? " (right)" : ""}`,
  )
  const closed = without.length === 0 ? "" : `<p class="answers">Without passages,${without.join(";")}</p>`
  return `<details class="example"${open ? " open" : ""}><summary><span class="question">${escapeHtml(question)}</span><span class="places">${verdicts.join("")}</span></summary>
<p class="answers">Expected: ${expected.map((answer) => `<q>${escapeHtml(answer)}</q>`).join(", ")}</p>${closed}
<div class="told">${answers.map(answered).join("")}</div></details>`
}

const answered = ({ system, right, sources: found, tokens }: SourcedAnswer): string => {
  const words = tokens
    .filter(({ text }) => text !== "")
    .map(({ text, weights }) => {
      const most = Math.max(...weights)
      return `<span class="${lineColor(weights.indexOf(most))}" style="--w:${percent(0.1 + 0.5 * most)}">${escapeHtml(text)}</span>`
    })
  return `<div><h3>${escapeHtml(system)}</h3><p class="said">${words.join("") || "<em>nothing</em>"}<span class="verdict ${right ? "better" : "worse"}" style="--w:0%">${right ? "right" : "wrong"}</span></p>
<ol class="sources">${found.map(source).join("")}</ol></div>`
}

const source = ({ id, title = "", text, prior, posterior, gold }: Source, index: number): string => {
  const shown = text === undefined ? "" : text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
  const head = [title === "" ? id : title, ...(gold ? ['<span class="gold">gold</span>'] : [])]
  return `<li class="${lineColor(index)}"><div class="meta"><span>${escapeHtml(head[0] ?? "")}</span>${head[1] ?? ""}</div>
<div class="shares">${bar("before", prior)}${bar("after", posterior)}</div><p>${escapeHtml(shown)}</p></li>`
}

const bar = (name: "before" | "after", share: number): string =>
  `<span>${name === "before" ? "found" : "explains"}</span><i class="${name}"><b style="width:${percent(share)}"></b></i><em>${share.toFixed(2)}</em>`

const percent = (share: number): string => `${Math.round(1000 * Math.min(1, Math.max(0, share))) / 10}%`
