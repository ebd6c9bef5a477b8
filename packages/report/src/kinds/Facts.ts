import { escapeHtml, quantity } from "../Html.ts"
import type { Kind } from "../Kind.ts"

/** Settings, versions, counts: any JSON, in titled groups. */
export interface Facts {
  readonly groups: readonly { readonly title: string; readonly values: unknown }[]
}

export const facts: Kind<Facts> = {
  render: ({ groups }) => {
    const filled = groups.filter(({ values }) => isFilled(values))
    if (filled.length === 0) return ""
    const shown = filled.map(
      ({ title, values }) => `<div class="group"><h3>${escapeHtml(title)}</h3>${list(values)}</div>`,
    )
    return `<div class="facts">${shown.join("")}</div>`
  },
  style: `
.facts { columns: 24rem 2; column-gap: 3rem; }
.group { break-inside: avoid; margin-bottom: 1.75rem; }
.group dl { margin: 0; font-size: .875rem; }
.group dl div { display: flex; justify-content: space-between; gap: 1rem; border-top: 1px solid var(--line); padding: .3rem 0; }
.group dt { color: var(--soft); overflow-wrap: anywhere; flex: 0 1 auto; min-width: 8rem; }
.group dd { margin: 0; text-align: right; overflow-wrap: anywhere; min-width: 0; }
`,
}

const list = (values: unknown): string =>
  `<dl>${rows(values)
    .map(([name, shown]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(shown)}</dd></div>`)
    .join("")}</dl>`

/** Nested settings as rows of a name and a value, the names joined by dots. */
const rows = (value: unknown, name = ""): readonly (readonly [string, string])[] => {
  if (Array.isArray(value)) {
    const simple = value.every((item) => typeof item !== "object" || item === null)
    return [[name, simple ? value.map(shown).join(", ") || "none" : JSON.stringify(value)]]
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, inner]) => rows(inner, name === "" ? key : `${name}.${key}`))
  }
  return [[name, shown(value)]]
}

const shown = (value: unknown): string => (typeof value === "number" ? quantity(value) : String(value ?? "none"))

const isFilled = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length > 0
