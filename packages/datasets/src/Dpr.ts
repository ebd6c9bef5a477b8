import { Schema } from "effect"
import { passageIdOf } from "./ContentHash.ts"
import type { RetrievalData } from "./Example.ts"
import { rowDecoder } from "./internal/Decode.ts"
import { jsonElements } from "./internal/JsonElements.ts"
import { jsonLines } from "./internal/JsonLines.ts"
import type { Passage } from "./Passage.ts"
import type { ExampleRow, Source, TableRow } from "./Source.ts"

const Identifier = Schema.Union([Schema.String, Schema.Number])

const Context = Schema.Struct({
  title: Schema.optionalKey(Schema.NullOr(Schema.String)),
  text: Schema.String,
  passage_id: Schema.optionalKey(Schema.NullOr(Identifier)),
  psg_id: Schema.optionalKey(Schema.NullOr(Identifier)),
})

const Contexts = Schema.optionalKey(Schema.NullOr(Schema.Array(Context)))

const decode = rowDecoder(
  Schema.Struct({
    question: Schema.NonEmptyString,
    answers: Schema.optionalKey(Schema.NullOr(Schema.Array(Schema.String))),
    positive_ctxs: Contexts,
    negative_ctxs: Contexts,
    hard_negative_ctxs: Contexts,
  }),
)

/**
 * Training rows of Dense Passage Retrieval (Karpukhin et al. 2020), a JSON array or JSON Lines, one row in memory at a
 * time. Hard negatives come before plain ones in `negatives`; missing lists are empty; a passage without an id gets one
 * from its content; an example's id is made from its question.
 */
export const parseDpr = (source: Source): AsyncGenerator<ExampleRow> => dprRows(jsonElements(source), source.file)

/** {@link parseDpr} for one JSON object a line. */
export const parseDprLines = (source: Source): AsyncGenerator<ExampleRow> => dprRows(jsonLines(source), source.file)

/** {@link parseDpr} for rows that are JSON values already. */
export async function* dprRows(rows: AsyncIterable<TableRow>, file: string): AsyncGenerator<ExampleRow> {
  for await (const { value, line } of rows) {
    const row = decode(value, { file, line })
    const positives = (row.positive_ctxs ?? []).map(passageOf)
    const negatives = [...(row.hard_negative_ctxs ?? []), ...(row.negative_ctxs ?? [])].map(passageOf)
    yield {
      file,
      line,
      passages: [...positives, ...negatives],
      example: {
        id: passageIdOf(row.question).replace("p-", "q-"),
        query: row.question.trim(),
        positives: positives.map(({ id }) => id),
        negatives: negatives.map(({ id }) => id),
        answers: row.answers ?? [],
      },
    }
  }
}

const passageOf = (context: typeof Context.Type): Passage => {
  const title = context.title === null || context.title === "" ? undefined : context.title
  const id = context.passage_id ?? context.psg_id ?? ""
  return {
    id: id === "" ? passageIdOf(context.text, title) : String(id),
    text: context.text,
    ...(title === undefined ? {} : { title }),
  }
}

/**
 * The data as a DPR JSON array, in pieces to be written one after the other. An example's negatives become hard
 * negatives; passage ids are kept in `passage_id`.
 */
export function* dprJson(data: Pick<RetrievalData, "examples" | "corpus">): Generator<string> {
  const contexts = (ids: readonly string[]) =>
    ids.flatMap((id) => {
      const passage = data.corpus.get(id)
      return passage === undefined ? [] : [{ title: passage.title ?? "", text: passage.text, passage_id: id }]
    })
  let separator = "[\n"
  for (const example of data.examples) {
    yield separator
    yield JSON.stringify({
      question: example.query,
      answers: example.answers,
      positive_ctxs: contexts(example.positives),
      negative_ctxs: [],
      hard_negative_ctxs: contexts(example.negatives),
    })
    separator = ",\n"
  }
  yield separator === "[\n" ? "[]\n" : "\n]\n"
}
