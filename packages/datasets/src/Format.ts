import { splitTsv } from "./internal/Tsv.ts"

/** The formats that are read. `dpr` is DPR's JSON array or JSON Lines, `jsonl` Tandem's own examples. */
export const formats = ["squad", "dpr", "dpr-qa", "dpr-corpus", "beir", "jsonl", "corpus"] as const

export type Format = (typeof formats)[number]

/**
 * The format of a file, judged by its first characters (64 Ki are plenty); `undefined` where none fits. A BEIR folder
 * is recognised by its files, not here; `beir` stands for one of its files of judgements.
 */
export const recogniseFormat = (start: string): Format | undefined => {
  const text = start.trimStart()
  if (text.startsWith("{")) return byKeys(firstObjectKeys(text, 0))
  if (text.startsWith("[")) {
    const object = /^\[\s*\{/.exec(text)
    return object !== null && byKeys(firstObjectKeys(text, object[0].length - 1)) === "dpr" ? "dpr" : undefined
  }
  const columns = splitTsv(text.split(/\r?\n/, 1)[0] ?? "") ?? []
  if (/^query-id\tcorpus-id\tscore\s*$/.test(columns.join("\t"))) return "beir"
  if (columns.length === 2 && /^\s*"?\s*[[(]/.test(columns[1]!)) return "dpr-qa"
  if (columns.length === 3 && !/^-?\d+\s*$/.test(columns[2]!)) return "dpr-corpus"
  return undefined
}

const byKeys = (keys: ReadonlySet<string>): Format | undefined => {
  if (keys.has("data") && !keys.has("query")) return "squad"
  if (keys.has("question")) return "dpr"
  if (keys.has("query")) return "jsonl"
  if (keys.has("text") && (keys.has("id") || keys.has("_id"))) return "corpus"
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
