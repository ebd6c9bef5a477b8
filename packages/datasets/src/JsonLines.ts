import { Schema } from "effect"
import { passageIdOf } from "./ContentHash.ts"
import type { Example } from "./Example.ts"
import { ownColumns, ownCorpusColumns } from "./internal/Columns.ts"
import { rowDecoder } from "./internal/Decode.ts"
import { jsonLines } from "./internal/JsonLines.ts"
import type { Passage } from "./Passage.ts"
import type { ExampleRow, PassageRow, Remark, Source, TableRow } from "./Source.ts"

const Identifier = Schema.Union([Schema.String, Schema.Number])
const Metadata = Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))

const passageFields = {
  id: Schema.optionalKey(Identifier),
  text: Schema.String,
  title: Schema.optionalKey(Schema.NullOr(Schema.String)),
  metadata: Metadata,
}

const References = Schema.optionalKey(
  Schema.NullOr(Schema.Array(Schema.Union([Schema.String, Schema.Number, Schema.Struct(passageFields)]))),
)

const exampleFields = {
  id: Schema.optionalKey(Identifier),
  query: Schema.NonEmptyString,
  response: Schema.optionalKey(Schema.String),
  positives: References,
  negatives: References,
  answers: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))),
  weight: Schema.optionalKey(Schema.Number.check(Schema.isGreaterThanOrEqualTo(0))),
  group: Schema.optionalKey(Schema.String),
  relevance: Schema.optionalKey(Schema.Record(Schema.String, Schema.Number)),
  metadata: Metadata,
}

const decodeExample = rowDecoder(Schema.Struct(exampleFields))
const decodeCorpusRow = rowDecoder(Schema.Struct({ ...passageFields, text: Schema.NullOr(Schema.String) }))

/**
 * Examples, one JSON object a line: Tandem's own `{"query", "id"?, "positives"?, "negatives"?, "answers"?, "response"?,
 * "weight"?, "group"?, "relevance"?, "metadata"?}`, or a row as other tools write it (docs/data-layouts.md). Positives
 * and negatives are ids of the corpus, or passages. Fields of other names are kept in `metadata`; one that is probably a
 * slip of a known name is remarked upon. A row without an id gets one from its query.
 */
export const parseExamples = (source: Source): AsyncGenerator<ExampleRow> => exampleRows(jsonLines(source), source.file)

/** {@link parseExamples} for rows that are JSON values already. */
export async function* exampleRows(rows: AsyncIterable<TableRow>, file: string): AsyncGenerator<ExampleRow> {
  for await (const { value, line } of rows) {
    const place = { file, line }
    const named = ownColumns(value, place)
    const row = decodeExample(named.row, place, hintOf(named.remarks))
    const passages: Passage[] = []
    const texts = new Map<string, string>()
    const idsOf = (references: typeof References.Type | undefined): string[] =>
      (references ?? []).map((reference) => {
        if (typeof reference === "number") return String(reference)
        if (typeof reference === "string" && !named.texts) return reference
        const passage =
          typeof reference === "string" ? passageOf({ text: reference }, undefined) : passageOf(reference, reference.id)
        if (typeof reference === "string") texts.set(passage.id, reference)
        passages.push(passage)
        return passage.id
      })
    const metadata = { ...row.metadata, ...others(named.row, exampleFields) }
    yield {
      file,
      line,
      example: {
        id: row.id === undefined ? passageIdOf(row.query).replace("p-", "q-") : String(row.id),
        query: row.query,
        positives: idsOf(row.positives),
        negatives: idsOf(row.negatives),
        answers: row.answers ?? [],
        ...(row.response === undefined ? {} : { response: row.response }),
        ...(row.weight === undefined ? {} : { weight: row.weight }),
        ...(row.group === undefined ? {} : { group: row.group }),
        ...(row.relevance === undefined ? {} : { relevance: row.relevance }),
        ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
      },
      passages,
      ...(texts.size === 0 ? {} : { texts }),
      ...(named.remarks.length === 0 ? {} : { remarks: named.remarks }),
    }
  }
}

/**
 * A corpus, one passage a line: `{"id", "text", "title"?, "metadata"?}`, BEIR's `_id` and other tools' names, or a string.
 * A passage without an id gets one from its content.
 */
export const parseCorpus = (source: Source): AsyncGenerator<PassageRow> => corpusRows(jsonLines(source), source.file)

/** {@link parseCorpus} for rows that are JSON values already. */
export async function* corpusRows(rows: AsyncIterable<TableRow>, file: string): AsyncGenerator<PassageRow> {
  for await (const { value, line } of rows) {
    const place = { file, line }
    const named = ownCorpusColumns(value)
    const row = decodeCorpusRow(named.row, place, hintOf(named.remarks))
    const metadata = { ...row.metadata, ...others(named.row, passageFields) }
    yield {
      ...place,
      passage: passageOf({ ...row, text: row.text ?? "", metadata }, row.id),
      ...(named.remarks.length === 0 ? {} : { remarks: named.remarks }),
    }
  }
}

const hintOf = (remarks: readonly Remark[]): string | undefined => remarks[0]?.subject

interface PassageFields {
  readonly text: string
  readonly title?: string | null
  readonly metadata?: Readonly<Record<string, unknown>>
}

const passageOf = ({ text, title, metadata }: PassageFields, id: string | number | undefined): Passage => {
  const name = title === null || title === "" ? undefined : title
  return {
    id: id === undefined ? passageIdOf(text, name) : String(id),
    text,
    ...(name === undefined ? {} : { title: name }),
    ...(metadata === undefined || Object.keys(metadata).length === 0 ? {} : { metadata }),
  }
}

const others = (value: unknown, known: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value).filter(([key]) => !(key in known)))
    : {}

/** Examples as JSON Lines, in pieces to be written one after the other. */
export function* exampleLines(examples: Iterable<Example>): Generator<string> {
  for (const example of examples) yield `${JSON.stringify(example)}\n`
}

/** A corpus as JSON Lines, in pieces to be written one after the other. */
export function* corpusLines(passages: Iterable<Passage>): Generator<string> {
  for (const passage of passages) yield `${JSON.stringify(passage)}\n`
}
