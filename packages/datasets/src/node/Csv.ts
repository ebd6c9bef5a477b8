import { Readable } from "node:stream"
import { CsvError, parse } from "csv-parse"
import { InvalidRowError } from "../Errors.ts"
import { rowOfCells } from "../internal/Cells.ts"
import type { Source, TableRow } from "../Source.ts"

/** A record longer than this means a quote that was never closed. */
const longestRecord = 16 * 1024 * 1024

/**
 * Rows of a CSV file under the names in its first line (csv-parse; RFC 4180, so that quoted fields may hold line breaks).
 * Throws `InvalidRowError` for quotes that are not closed, or closed within a field, and for a row of other columns.
 */
export async function* csvRows({ file, chunks }: Source, delimiter: "," | ";" = ","): AsyncGenerator<TableRow> {
  let next = 1
  const parser = parse({
    delimiter,
    skip_empty_lines: true,
    max_record_size: longestRecord,
    bom: true,
    // Where a row starts goes with it as its first cell: what csv-parse itself tells is where one ends.
    on_record: (cells, { lines }) => {
      const line = next
      next = lines + 1
      return [`${line}`, ...cells]
    },
  })
  const input = Readable.from(chunks)
  input.on("error", (error) => parser.destroy(error))
  let names: readonly string[] | undefined
  try {
    for await (const record of input.pipe(parser)) {
      const [line, ...cells] = cellsOf(record)
      if (names === undefined) names = cells.map((name) => name.trim())
      else yield { value: rowOfCells(names, cells), line: Number(line) }
    }
  } catch (error) {
    throw error instanceof CsvError ? invalid(error, file, next) : error
  } finally {
    input.destroy()
  }
}

const cellsOf = (record: unknown): readonly string[] => (Array.isArray(record) ? record.map(String) : [])

const invalid = (error: CsvError, file: string, line: number): InvalidRowError =>
  new InvalidRowError({
    message: `${file}:${line} is no row of CSV: ${error.message}`,
    file,
    line,
    expected: "as many columns as the first line has, and quotes that stand around whole fields, doubled within",
    found: error.code,
    hint: "write the file again with a CSV writer, or as JSON Lines",
  })
