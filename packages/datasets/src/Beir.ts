import { Schema } from "effect"
import { InvalidRowError } from "./Errors.ts"
import type { Example, RetrievalData } from "./Example.ts"
import { rowDecoder } from "./internal/Decode.ts"
import { jsonLines } from "./internal/JsonLines.ts"
import { tsvRows } from "./internal/Tsv.ts"
import type { Passage } from "./Passage.ts"
import type { ExampleRow, Remark, Source } from "./Source.ts"

const decodeQuery = rowDecoder(
  Schema.Struct({ _id: Schema.Union([Schema.String, Schema.Number]), text: Schema.NullOr(Schema.String) }),
)

/**
 * Examples of a BEIR data set: the queries that a file of judgements (`qrels/SPLIT.tsv`, with its header line or
 * without) names, in the order of that file. Passages of a grade above 0 are positives; the grades are kept in
 * `relevance`. The corpus is read by {@link parseCorpus}. Judgements about queries that are missing or have no text are
 * remarked upon with the first row; where all are, that is an `InvalidRowError`.
 */
export async function* parseBeir(queries: Source, judgements: Source): AsyncGenerator<ExampleRow> {
  const texts = new Map<string, string>()
  const remarks: Remark[] = []
  for await (const { value, line } of jsonLines(queries)) {
    const { _id, text } = decodeQuery(value, { file: queries.file, line })
    if (text !== null && text.trim() !== "") texts.set(String(_id), text)
    else remarks.push({ kind: "empty-question", subject: String(_id) })
  }
  const judged = new Map<string, { line: number; relevance: Map<string, number> }>()
  let first = true
  let missing: InvalidRowError | undefined
  for await (const { fields, line } of tsvRows(judgements)) {
    const [query, passage, score] = fields
    const grade = score === undefined || score.trim() === "" ? Number.NaN : Number(score)
    const header = first && !Number.isFinite(grade)
    first = false
    if (header) continue
    const invalid = (field: string, expected: string, found: string) =>
      new InvalidRowError({
        message: `${judgements.file}:${line}, field ${field}: expected ${expected}, found ${found}`,
        file: judgements.file,
        line,
        field,
        expected,
        found,
      })
    if (query === undefined || passage === undefined || fields.length > 3 || !Number.isFinite(grade)) {
      throw invalid("score", "query id, passage id and a number", JSON.stringify(fields.join("\t").slice(0, 60)))
    }
    if (!texts.has(query)) {
      missing ??= invalid("query-id", `a query of ${queries.file}`, query)
      remarks.push({ kind: "missing-question", subject: query })
      continue
    }
    const entry = judged.get(query) ?? { line, relevance: new Map<string, number>() }
    entry.relevance.set(passage, grade)
    judged.set(query, entry)
  }
  if (judged.size === 0 && missing !== undefined) throw missing
  for (const [index, [id, { line, relevance }]] of [...judged].entries()) {
    const positives = [...relevance].flatMap(([passage, grade]) => (grade > 0 ? [passage] : []))
    const graded = Object.fromEntries(relevance)
    yield {
      file: judgements.file,
      line,
      passages: [],
      judged: true,
      ...(index === 0 ? { remarks } : {}),
      example: { id, query: texts.get(id)!, positives, negatives: [], answers: [], relevance: graded },
    }
  }
}

/** `queries.jsonl` of a BEIR data set, in pieces. */
export function* beirQueries(examples: Iterable<Example>): Generator<string> {
  for (const { id, query, metadata } of examples)
    yield `${JSON.stringify({ _id: id, text: query, metadata: metadata ?? {} })}\n`
}

/** `corpus.jsonl` of a BEIR data set, in pieces. */
export function* beirCorpus(passages: Iterable<Passage>): Generator<string> {
  for (const { id, title, text, metadata } of passages) {
    yield `${JSON.stringify({ _id: id, title: title ?? "", text, metadata: metadata ?? {} })}\n`
  }
}

/** `qrels/SPLIT.tsv` of a BEIR data set, in pieces. Positives without a grade have grade 1. */
export function* beirJudgements({ examples }: Pick<RetrievalData, "examples">): Generator<string> {
  yield "query-id\tcorpus-id\tscore\n"
  for (const { id, positives, relevance } of examples) {
    const grades = relevance ?? Object.fromEntries(positives.map((passage) => [passage, 1]))
    for (const [passage, grade] of Object.entries(grades)) yield `${id}\t${passage}\t${grade}\n`
  }
}
