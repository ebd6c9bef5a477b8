import { InvalidRowError } from "../Errors.ts"
import type { Place, Source } from "../Source.ts"
import { lineBatches } from "./Lines.ts"

/** The fields of a row and where it starts. */
export type TsvRow = Place & { readonly fields: readonly string[] }

/** A quoted field may hold line breaks; one that spans more lines than this was never closed. */
const longestField = 1000

/**
 * Rows of tab-separated values as Python's csv module writes them: a field that starts with a double quote ends at the
 * next single one, `""` inside stands for `"`, and it may hold tabs and line breaks. Blank lines are skipped.
 */
export async function* tsvRows(source: Source): AsyncGenerator<TsvRow> {
  let pending = ""
  let startLine = 0
  let joined = 0
  for await (const batch of lineBatches(source)) {
    for (const { text, line } of batch) {
      if (joined === 0 && text.trim() === "") continue
      if (joined === 0) startLine = line
      const row = joined === 0 ? text : `${pending}\n${text}`
      const fields = splitTsv(row)
      if (fields !== undefined) {
        yield { file: source.file, line: startLine, fields }
        joined = 0
        continue
      }
      pending = row
      joined++
      if (joined > longestField) throw unclosed(source.file, startLine)
    }
  }
  if (joined > 0) throw unclosed(source.file, startLine)
}

const unclosed = (file: string, line: number) =>
  new InvalidRowError({
    message: `${file}:${line} opens a quoted field that is never closed.`,
    file,
    line,
    expected: 'a closing "',
    found: "none",
  })

/** The fields of one row; `undefined` where a quoted field stands open at its end. */
export const splitTsv = (row: string): readonly string[] | undefined => {
  if (!row.includes('"')) return row.split("\t")
  const fields: string[] = []
  let index = 0
  for (;;) {
    let field = ""
    if (row[index] === '"') {
      index++
      for (;;) {
        const quote = row.indexOf('"', index)
        if (quote < 0) return undefined
        field += row.slice(index, quote)
        index = quote + 1
        if (row[index] !== '"') break
        field += '"'
        index++
      }
    }
    const tab = row.indexOf("\t", index)
    fields.push(field + row.slice(index, tab < 0 ? row.length : tab))
    if (tab < 0) return fields
    index = tab + 1
  }
}

/** A field as it has to be written so that {@link splitTsv} gives it back. */
export const tsvField = (text: string): string => (/["\t\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
