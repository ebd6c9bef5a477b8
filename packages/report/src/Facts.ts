import { escapeHtml, quantity } from "./Html.ts"

/** Nested settings as rows of a name and a value, the names joined by dots. */
const rows = (value: unknown, name = ""): readonly (readonly [string, string])[] => {
  if (Array.isArray(value)) {
    const simple = value.every((item) => typeof item !== "object" || item === null)
    return [[name, simple ? value.map(text).join(", ") || "none" : JSON.stringify(value)]]
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, inner]) => rows(inner, name === "" ? key : `${name}.${key}`))
  }
  return [[name, text(value)]]
}

const text = (value: unknown): string => (typeof value === "number" ? quantity(value) : String(value ?? "none"))

const list = (value: unknown): string =>
  `<dl>${rows(value)
    .map(([name, shown]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(shown)}</dd></div>`)
    .join("")}</dl>`

/** What `config.json` and the data say, each top-level object as a group of its own. */
export const factsSection = (config: unknown, statistics: unknown): string => {
  const { statistics: _inConfig, ...rest } =
    typeof config === "object" && config !== null ? { statistics: 0, ...config } : {}
  const groups = Object.entries(rest).filter(([, value]) => typeof value === "object" && value !== null)
  const single = Object.fromEntries(
    Object.entries(rest).filter(([, value]) => typeof value !== "object" || value === null),
  )
  const all = [
    ...(isFilled(statistics) ? [["Data", statistics] as const] : []),
    ...groups.map(([name, value]) => [titles[name] ?? name, value] as const),
    ...(isFilled(single) ? [["Run", single] as const] : []),
  ].filter(([, value]) => isFilled(value))
  if (all.length === 0) return ""
  return `<section aria-labelledby="facts"><h2 id="facts">Settings and data</h2><div class="facts">${all
    .map(([name, value]) => `<div class="group"><h3>${escapeHtml(name)}</h3>${list(value)}</div>`)
    .join("")}</div></section>`
}

const titles: Readonly<Record<string, string>> = {
  settings: "Settings",
  retriever: "Comparing texts",
  versions: "Versions",
  device: "Device",
  data: "SHA-256 of the data",
  models: "Fingerprints of the models",
}

const isFilled = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length > 0
