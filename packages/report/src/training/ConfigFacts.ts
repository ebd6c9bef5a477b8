import type { SectionHead } from "../Kind.ts"
import type { Facts } from "../kinds/Facts.ts"

const titles: Readonly<Record<string, string>> = {
  settings: "Settings",
  retriever: "Comparing texts",
  versions: "Versions",
  device: "Device",
  data: "SHA-256 of the data",
  models: "Fingerprints of the models",
}

/** What `config.json` and the data's statistics say: each object of the top level is a group, what is single another. */
export const configFacts = (config: unknown, statistics: unknown): { readonly kind: "facts" } & SectionHead & Facts => {
  const all = typeof config === "object" && config !== null ? Object.entries(config) : []
  const entries = all.filter(([name]) => name !== "statistics")
  const isGroup = (value: unknown): boolean => typeof value === "object" && value !== null
  return {
    kind: "facts",
    title: "Settings and data",
    groups: [
      { title: "Data", values: statistics },
      ...entries.flatMap(([name, values]) => (isGroup(values) ? [{ title: titles[name] ?? name, values }] : [])),
      { title: "Run", values: Object.fromEntries(entries.filter(([, value]) => !isGroup(value))) },
    ],
  }
}
