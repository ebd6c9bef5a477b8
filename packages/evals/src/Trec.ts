import { InvalidTrecFile } from "./EvalsError.ts"
import { compareCodePoints } from "./internal/CodePointOrder.ts"

/** Judgements: query id → document id → relevance (an integer; 0 and below is not relevant). */
export type Qrels = ReadonlyMap<string, ReadonlyMap<string, number>>

/** What a system returned: query id → document id → score, higher is better. */
export type Run = ReadonlyMap<string, ReadonlyMap<string, number>>

export type TrecSource = string | Iterable<string>

const lines = (source: TrecSource): Iterable<string> => (typeof source === "string" ? source.split("\n") : source)

interface Row {
  readonly query: string
  readonly document: string
  readonly value: string
}

const collect = (
  source: TrecSource,
  options: {
    readonly file: string
    readonly form: string
    readonly columns: number
    readonly valueName: string
    readonly row: (columns: readonly string[]) => Row
    readonly parse: (text: string) => number | undefined
  },
): Map<string, Map<string, number>> => {
  const result = new Map<string, Map<string, number>>()
  let line = 0
  for (const text of lines(source)) {
    line++
    const columns = text.trim().split(/\s+/)
    if (columns.length === 1 && columns[0] === "") continue
    const at = { file: options.file, line }
    if (columns.length !== options.columns)
      throw new InvalidTrecFile({
        ...at,
        message: `${options.file}:${line} has ${columns.length} columns instead of ${options.columns}`,
        expected: options.form,
        found: text.slice(0, 80),
      })
    const row = options.row(columns)
    const value = options.parse(row.value)
    if (value === undefined)
      throw new InvalidTrecFile({
        ...at,
        message: `${options.file}:${line}: ${options.valueName} is not a number that can be used`,
        field: options.valueName,
        found: row.value,
      })
    const documents = result.get(row.query) ?? new Map<string, number>()
    if (documents.has(row.document))
      throw new InvalidTrecFile({
        ...at,
        message: `${options.file}:${line}: document ${row.document} stands twice for query ${row.query}`,
        field: "document",
        found: row.document,
      })
    documents.set(row.document, value)
    result.set(row.query, documents)
  }
  return result
}

/**
 * Reads a TREC qrels file: `query iteration document relevance`, separated by white space.
 *
 * @param source the file's text, or its lines
 * @param file the name for error messages
 * @throws InvalidTrecFile naming the line: a missing column, a relevance that is no integer, a document twice
 */
export const parseQrels = (source: TrecSource, file = "qrels"): Qrels =>
  collect(source, {
    file,
    form: "query iteration document relevance",
    columns: 4,
    valueName: "relevance",
    row: (columns) => ({ query: columns[0]!, document: columns[2]!, value: columns[3]! }),
    parse: (text) => (/^[+-]?\d+$/.test(text) ? Number(text) : undefined),
  })

/**
 * Reads a TREC run file: `query Q0 document rank score tag`. As in trec_eval the rank column is ignored and the
 * score alone decides the order.
 *
 * @throws InvalidTrecFile naming the line: a missing column, a score that is no finite number, a document twice
 */
export const parseRun = (source: TrecSource, file = "run"): Run =>
  collect(source, {
    file,
    form: "query Q0 document rank score tag",
    columns: 6,
    valueName: "score",
    row: (columns) => ({ query: columns[0]!, document: columns[2]!, value: columns[4]! }),
    parse: (text) => (Number.isFinite(Number(text)) ? Number(text) : undefined),
  })

/**
 * The documents of one query in the order in which trec_eval ranks them: score descending, compared in single
 * precision as trec_eval stores it, and ties by document id descending (byte order).
 */
export const rankDocuments = (documents: ReadonlyMap<string, number>): readonly string[] =>
  Array.from(documents, ([id, score]) => ({ id, score: Math.fround(score) }))
    .sort((a, b) => (a.score === b.score ? compareCodePoints(b.id, a.id) : b.score > a.score ? 1 : -1))
    .map(({ id }) => id)

/** Writes a run in TREC's format, best document first, with ranks from 1. */
export const formatRun = (run: Run, tag = "tandem"): string => {
  const rows: string[] = []
  for (const [query, documents] of run)
    rankDocuments(documents).forEach((document, index) => {
      rows.push(`${query} Q0 ${document} ${index + 1} ${documents.get(document)} ${tag}\n`)
    })
  return rows.join("")
}
