import { InvalidRowError } from "../Errors.ts"
import type { Place, Source } from "../Source.ts"
import { type Line, lineBatches } from "./Lines.ts"

/** The fields of a row and where it starts. */
export type TsvRow = Place & { readonly fields: readonly string[] }

/** A quoted field may hold line breaks; one that spans more lines than this was never closed. */
const longestField = 1000

/**
 * Rows of tab-separated values, quoted as Python's csv module writes them: a field that starts with a double quote ends
 * at the next single one, which a tab or the row's end follows; `""` inside stands for `"`, and it may hold tabs and line
 * breaks. A field with any other quotes is what stands there, quotes included. Blank lines are skipped.
 *
 * A quote that nothing closes does not swallow the rows behind it: a line that has all columns by itself is a row, unless
 * the field closes as it should on a later line that is none. Throws `InvalidRowError` where that leaves no row.
 */
export async function* tsvRows(source: Source): AsyncGenerator<TsvRow> {
  let columns: number | undefined
  let waiting: readonly Line[] = []
  const { file } = source
  const take = (lines: readonly Line[], ended: boolean): readonly TsvRow[] => {
    const rows: TsvRow[] = []
    let at = 0
    while (at < lines.length) {
      const { text, line } = lines[at]!
      if (text.trim() === "") {
        at++
        continue
      }
      const found = rowAt(lines, at, columns, ended)
      if (found === "open") break
      if (found === undefined) {
        // The rows before it come first, so that what is wrong is told at its place.
        if (rows.length > 0) break
        throw unclosed(file, line)
      }
      columns ??= found.fields.length
      rows.push({ file, line, fields: found.fields })
      at += found.lines
    }
    waiting = lines.slice(at)
    return rows
  }
  for await (const batch of lineBatches(source)) {
    if (batch.length > 0) yield* take(waiting.length === 0 ? batch : [...waiting, ...batch], false)
  }
  while (waiting.length > 0) {
    const before = waiting.length
    yield* take(waiting, true)
    if (waiting.length === before) break
  }
}

/** The row that starts on a line and how many lines it has; "open" where later lines decide, undefined where none can. */
const rowAt = (
  lines: readonly Line[],
  at: number,
  columns: number | undefined,
  ended: boolean,
): { readonly fields: readonly string[]; readonly lines: number } | "open" | undefined => {
  const first = lines[at]!.text
  const alone = splitTsv(first)
  if (alone !== undefined) return { fields: alone, lines: 1 }
  const isWhole = (text: string): boolean => text.split("\t").length === columns
  const bare = isWhole(first) ? { fields: first.split("\t"), lines: 1 } : undefined
  let joined = first
  for (let end = at + 1; end - at <= longestField; end++) {
    const next = lines[end]
    if (next === undefined) return ended ? bare : "open"
    joined += `\n${next.text}`
    if (!next.text.includes('"')) continue
    const parts = partsOf(joined)
    if (parts === undefined) continue
    const closed = parts.every(({ text, quoted }) => quoted || !text.includes("\n"))
    const separate = lines.slice(at, end + 1).every(({ text }) => isWhole(text))
    return closed && !separate ? { fields: parts.map(({ text }) => text), lines: end - at + 1 } : bare
  }
  return bare
}

const unclosed = (file: string, line: number) =>
  new InvalidRowError({
    message: `${file}:${line} opens a quoted field that is never closed`,
    file,
    line,
    expected: 'a closing "',
    found: "none",
  })

/** The fields of one row; `undefined` where a quoted field stands open at its end. */
export const splitTsv = (row: string): readonly string[] | undefined =>
  row.includes('"') ? partsOf(row)?.map(({ text }) => text) : row.split("\t")

const partsOf = (row: string): readonly { readonly text: string; readonly quoted: boolean }[] | undefined => {
  const fields: { readonly text: string; readonly quoted: boolean }[] = []
  let index = 0
  for (;;) {
    const quoted = row[index] === '"' ? quotedField(row, index) : undefined
    if (quoted === "open") return undefined
    const tab = row.indexOf("\t", quoted === undefined ? index : quoted.end)
    const end = tab < 0 ? row.length : tab
    fields.push({ text: quoted === undefined ? row.slice(index, end) : quoted.field, quoted: quoted !== undefined })
    if (tab < 0) return fields
    index = tab + 1
  }
}

/** The quoted field whose opening quote stands at `start`; undefined where its quotes are not those of a quoted field. */
const quotedField = (
  row: string,
  start: number,
): { readonly field: string; readonly end: number } | "open" | undefined => {
  let field = ""
  for (let index = start + 1; ; ) {
    const quote = row.indexOf('"', index)
    if (quote < 0) return "open"
    field += row.slice(index, quote)
    const next = row[quote + 1]
    if (next === undefined || next === "\t") return { field, end: quote + 1 }
    if (next !== '"') return undefined
    field += '"'
    index = quote + 2
  }
}

/** A field as it has to be written so that {@link splitTsv} gives it back. */
export const tsvField = (text: string): string => (/["\t\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
