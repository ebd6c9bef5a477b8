import { layoutOf, slipAmong } from "./internal/Columns.ts"
import { splitCsvLine } from "./internal/CsvLine.ts"
import { splitTsv } from "./internal/Tsv.ts"

/**
 * The formats of questions and passages. `dpr` is DPR's JSON array or JSON Lines; `jsonl` Tandem's own examples and everyday tables
 * (docs/data-layouts.md); `corpus` passages. The last three may also be JSON arrays, CSV, TSV with names, or Parquet.
 */
export const formats = ["squad", "dpr", "dpr-qa", "dpr-corpus", "beir", "jsonl", "corpus"] as const

/** Formats of conversations and texts for a generator: OpenAI's `messages`, and Axolotl's `segments`. */
export const instructionFormats = ["chat", "segments"] as const

export type Format = (typeof formats)[number] | (typeof instructionFormats)[number]

/** How the rows of a file are laid down. */
export type Container = "json-lines" | "json-array" | "csv" | "semicolons" | "tsv" | "parquet"

/**
 * The format of a file, judged by its first characters (64 Ki are plenty); `undefined` where none fits. A BEIR folder
 * is recognised by its files, not here; `beir` stands for one of its files of judgements.
 */
export const recogniseFormat = (start: string): Format | undefined => {
  const text = start.trimStart()
  if (text.startsWith("{")) return layoutOf(firstObjectKeys(text, 0))
  if (text.startsWith("[")) {
    const object = /^\[\s*\{/.exec(text)
    const layout = object === null ? undefined : layoutOf(firstObjectKeys(text, object[0].length - 1))
    return layout === "squad" ? undefined : layout
  }
  const line = text.split(/\r?\n/, 1)[0] ?? ""
  if (/^"(?:[^"\\]|\\.)*"\s*$/.test(line)) return "corpus"
  const columns = splitTsv(line) ?? []
  if (/^query-id\tcorpus-id\tscore\s*$/.test(columns.join("\t"))) return "beir"
  if (columns.length === 2 && /^\s*"?\s*[[(]/.test(columns[1]!)) return "dpr-qa"
  const names = namesOf(line)
  const layout = names === undefined ? undefined : layoutOf(new Set(names.names))
  if (layout === "jsonl" || layout === "dpr") return "jsonl"
  if (columns.length === 3 && !/^-?\d+\s*$/.test(columns[2]!)) return "dpr-corpus"
  return layout === "corpus" ? "corpus" : undefined
}

/**
 * How the rows of a text are laid down, by its first characters. Names in a table's first line are known by what they are
 * used for; `fields` are others.
 */
export const recogniseContainer = (start: string, fields: readonly string[] = []): Exclude<Container, "parquet"> => {
  const text = start.trimStart()
  if (text.startsWith("{")) return "json-lines"
  if (text.startsWith("[")) return "json-array"
  return namesOf(text.split(/\r?\n/, 1)[0] ?? "", fields)?.container ?? "json-lines"
}

/** What is probably misspelt in the names of a file that is in no known format: `anchr → anchor?`. */
export const misspeltName = (start: string): string | undefined => {
  const text = start.trimStart()
  const object = /^(?:\[\s*)?\{/.exec(text)
  if (object !== null) return slipAmong(firstObjectKeys(text, object[0].length - 1))
  const line = text.split(/\r?\n/, 1)[0] ?? ""
  const delimiter = delimiters.map(([, character]) => character).find((character) => line.includes(character))
  return delimiter === undefined ? undefined : slipAmong(splitCsvLine(line, delimiter).map((name) => name.trim()))
}

const delimiters = [
  ["tsv", "\t"],
  ["csv", ","],
  ["semicolons", ";"],
] as const

/** The names in a table's first line, where they are names that something is known by. */
const namesOf = (line: string, fields: readonly string[] = []) => {
  const isKnown = (names: readonly string[]): boolean =>
    names.some((name) => fields.includes(name)) || layoutOf(new Set(names)) !== undefined
  for (const [container, delimiter] of delimiters) {
    if (!line.includes(delimiter)) continue
    const names = splitCsvLine(line, delimiter).map((name) => name.trim())
    if (names.every((name) => name.length < 60) && isKnown(names)) return { container, names }
  }
  return undefined
}

/** The keys of the object whose brace stands at `start`, as far as the text goes. */
const firstObjectKeys = (text: string, start: number): ReadonlySet<string> => {
  const keys = new Set<string>()
  let depth = 0
  for (let index = start; index < text.length; index++) {
    const unit = text[index]!
    if (unit === "{" || unit === "[") depth++
    else if (unit === "}" || unit === "]") {
      depth--
      if (depth === 0) break
    } else if (unit === '"') {
      const open = index + 1
      for (index++; index < text.length && text[index] !== '"'; index++) if (text[index] === "\\") index++
      if (depth === 1 && /^\s*:/.test(text.slice(index + 1, index + 20))) keys.add(text.slice(open, index))
    }
  }
  return keys
}
