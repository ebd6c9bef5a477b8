import { InvalidRowError } from "../Errors.ts"
import type { Source, TableRow } from "../Source.ts"
import { rowOfCells } from "./Cells.ts"
import { tsvRows } from "./Tsv.ts"

/** Rows of tab-separated values under the names in the first line. Throws `InvalidRowError` for a row of other columns. */
export async function* namedTsvRows(source: Source): AsyncGenerator<TableRow> {
  let names: readonly string[] | undefined
  for await (const { fields, file, line } of tsvRows(source)) {
    if (names === undefined) {
      names = fields.map((name) => name.trim())
      continue
    }
    if (fields.length !== names.length) {
      throw new InvalidRowError({
        message: `${file}:${line} has ${fields.length} columns, the first line ${names.length}`,
        file,
        line,
        expected: `${names.length} columns`,
        found: `${fields.length} columns`,
      })
    }
    yield { value: rowOfCells(names, fields), line }
  }
}
