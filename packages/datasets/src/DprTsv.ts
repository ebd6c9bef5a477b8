import { passageIdOf } from "./ContentHash.ts"
import { InvalidRowError } from "./Errors.ts"
import { parsePythonStrings } from "./internal/PythonLiteral.ts"
import { type TsvRow, tsvField, tsvRows } from "./internal/Tsv.ts"
import type { Passage } from "./Passage.ts"
import type { ExampleRow, PassageRow, Source } from "./Source.ts"

/**
 * Question and answer pairs of DPR: `question <tab> ['answer', "another"]`. The list is a Python literal; it is parsed,
 * never evaluated. The examples have no positives: they serve evaluation by answer string (`AssembleOptions.evaluation`).
 */
export async function* parseDprQa(source: Source): AsyncGenerator<ExampleRow> {
  for await (const row of tsvRows(source)) {
    if (row.fields.length > 2) throw invalid(row, "answers", "2 columns", `${row.fields.length} columns`)
    const question = row.fields[0]?.trim() ?? ""
    if (question === "") throw invalid(row, "question", "a question", "nothing")
    const answers = row.fields[1] === undefined ? undefined : parsePythonStrings(row.fields[1])
    if (answers === undefined) throw invalid(row, "answers", "a list such as ['a', 'b']", row.fields[1] ?? "nothing")
    yield {
      file: row.file,
      line: row.line,
      passages: [],
      example: {
        id: passageIdOf(question).replace("p-", "q-"),
        query: question,
        positives: [],
        negatives: [],
        answers,
      },
    }
  }
}

/**
 * Passages of a DPR corpus (`psgs_w100.tsv`): `id <tab> text <tab> title`, with or without that line as a header. All rows
 * have as many columns as the first.
 */
export async function* parseDprCorpus(source: Source): AsyncGenerator<PassageRow> {
  let first = true
  let columns = 0
  for await (const row of tsvRows(source)) {
    const [id, text, title] = row.fields
    if (first) columns = Math.min(3, row.fields.length)
    if (row.fields.length !== columns) {
      const expected = first ? "2 or 3 columns" : `${columns} columns, as in the first line`
      throw invalid(row, "title", expected, `${row.fields.length} columns`)
    }
    const header = first && id?.trim().toLowerCase() === "id" && text?.trim().toLowerCase() === "text"
    first = false
    if (header) continue
    if (id === undefined || id.trim() === "") throw invalid(row, "id", "a passage id", "nothing")
    if (text === undefined) throw invalid(row, "text", "the passage's text", "nothing")
    const passage = title === undefined || title === "" ? {} : { title, metadata: { document: title } }
    yield { file: row.file, line: row.line, passage: { id: id.trim(), text, ...passage } }
  }
}

/** A corpus as DPR's TSV with a header, in pieces to be written one after the other. */
export function* dprCorpusTsv(passages: Iterable<Passage>): Generator<string> {
  yield "id\ttext\ttitle\n"
  for (const { id, text, title } of passages) yield `${tsvField(id)}\t${tsvField(text)}\t${tsvField(title ?? "")}\n`
}

const invalid = ({ file, line }: TsvRow, field: string, expected: string, found: string) =>
  new InvalidRowError({
    message: `${file}:${line}, field ${field}: expected ${expected}, found ${found.slice(0, 60)}`,
    file,
    line,
    field,
    expected,
    found: found.slice(0, 60),
  })
