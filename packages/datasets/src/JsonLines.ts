import { Schema } from "effect"
import type { Example } from "./Example.ts"
import { passageIdOf } from "./internal/ContentHash.ts"
import { rowDecoder } from "./internal/Decode.ts"
import { jsonLines } from "./internal/JsonLines.ts"
import type { Passage } from "./Passage.ts"
import type { ExampleRow, PassageRow, Source } from "./Source.ts"

const Identifier = Schema.Union([Schema.String, Schema.Number])
const Metadata = Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))

const passageFields = {
  id: Schema.optionalKey(Identifier),
  text: Schema.NonEmptyString,
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
const decodeCorpusRow = rowDecoder(Schema.Struct({ ...passageFields, _id: Schema.optionalKey(Identifier) }))
const decodeIdentifier = rowDecoder(Schema.Struct({ id: Identifier }))

/**
 * Tandem's own examples, one JSON object a line: `{"query", "id"?, "positives"?, "negatives"?, "answers"?, "response"?,
 * "weight"?, "group"?, "relevance"?, "metadata"?}`. Positives and negatives are ids of the corpus, or passages. Fields of other names
 * are kept in `metadata`. A row without an id gets one from its query.
 */
export async function* parseExamples(source: Source): AsyncGenerator<ExampleRow> {
  for await (const { value, line } of jsonLines(source)) {
    const row = decodeExample(value, { file: source.file, line })
    const passages: Passage[] = []
    const idsOf = (references: typeof References.Type | undefined): string[] =>
      (references ?? []).map((reference) => {
        if (typeof reference !== "object") return String(reference)
        const passage = passageOf(reference, reference.id)
        passages.push(passage)
        return passage.id
      })
    const metadata = { ...row.metadata, ...others(value, exampleFields) }
    yield {
      file: source.file,
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
    }
  }
}

/** A corpus, one passage a line: `{"id", "text", "title"?, "metadata"?}`; BEIR's `_id` is understood as well. */
export async function* parseCorpus(source: Source): AsyncGenerator<PassageRow> {
  for await (const { value, line } of jsonLines(source)) {
    const place = { file: source.file, line }
    const row = decodeCorpusRow(value, place)
    const id = row.id ?? row._id ?? decodeIdentifier(value, place).id
    const rest = others(value, { ...passageFields, _id: true })
    const passage = passageOf({ ...row, metadata: { ...row.metadata, ...rest } }, id)
    yield { ...place, passage }
  }
}

type PassageFields = {
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
