import { Schema } from "effect"
import { passageIdOf } from "./ContentHash.ts"
import { EmptyFileError } from "./Errors.ts"
import { rowDecoder } from "./internal/Decode.ts"
import { parseJson } from "./internal/JsonText.ts"
import type { Passage } from "./Passage.ts"
import type { ExampleRow, PassageRow, Remark, Source } from "./Source.ts"

const Answers = Schema.Union([
  Schema.Array(Schema.Union([Schema.String, Schema.Struct({ text: Schema.String })])),
  Schema.Struct({ text: Schema.Union([Schema.String, Schema.Array(Schema.String)]) }),
])

const Question = Schema.Struct({
  id: Schema.optionalKey(Schema.NullOr(Schema.Union([Schema.String, Schema.Number]))),
  question: Schema.String,
  answers: Schema.optionalKey(Schema.NullOr(Answers)),
  is_impossible: Schema.optionalKey(Schema.NullOr(Schema.Boolean)),
})

const decode = rowDecoder(
  Schema.Struct({
    data: Schema.Array(
      Schema.Struct({
        title: Schema.optionalKey(Schema.NullOr(Schema.String)),
        paragraphs: Schema.Array(
          Schema.Struct({
            context: Schema.String,
            qas: Schema.optionalKey(Schema.NullOr(Schema.Array(Question))),
          }),
        ),
      }),
    ),
  }),
)

/**
 * Questions of SQuAD and of files of its shape: each with its paragraph as the positive. A question that is marked as
 * unanswerable (version 2) has neither positive nor answers: its paragraph does not answer it. Questions without text are
 * left out. Answers are trimmed.
 *
 * A paragraph's id is a hash of its text, so it is the same in every file and equal paragraphs are one passage. The
 * article is the passage's title, with spaces for underscores, its `metadata.document` and the example's `group`.
 */
export async function* parseSquad(source: Source): AsyncGenerator<ExampleRow> {
  for await (const { passage, article, questions } of paragraphs(source)) {
    for (const { id, question, answers, is_impossible: unanswerable } of questions) {
      const query = question.trim()
      const name = String(id ?? passageIdOf(`${passage.id} ${query}`).replace("p-", "q-"))
      const remarks: readonly Remark[] =
        query === ""
          ? [{ kind: "empty-question", subject: name }]
          : unanswerable === true
            ? [{ kind: "unanswerable", subject: name }]
            : []
      yield {
        file: source.file,
        line: 1,
        passages: [passage],
        remarks,
        example: {
          id: name,
          query,
          positives: remarks.length > 0 ? [] : [passage.id],
          negatives: [],
          answers: remarks.length > 0 ? [] : [...new Set(stringsOf(answers ?? []))].filter((answer) => answer !== ""),
          ...(article === undefined ? {} : { group: article }),
        },
      }
    }
  }
}

const stringsOf = (answers: typeof Answers.Type): readonly string[] => {
  const texts = "text" in answers ? [answers.text].flat() : answers
  return texts.map((answer) => (typeof answer === "string" ? answer : answer.text).trim())
}

/** The paragraphs of a SQuAD file as a corpus, those without questions included. */
export async function* parseSquadPassages(source: Source): AsyncGenerator<PassageRow> {
  for await (const { passage } of paragraphs(source)) yield { file: source.file, line: 1, passage }
}

async function* paragraphs(source: Source) {
  let text = ""
  for await (const chunk of source.chunks) text += chunk
  const place = { file: source.file, line: 1 }
  if (text.trim() === "") throw new EmptyFileError({ message: `${source.file} is empty`, file: source.file })
  for (const article of decode(parseJson(text, place, true), place).data) {
    const title = article.title === null || article.title === "" ? undefined : article.title
    for (const { context, qas } of article.paragraphs) {
      const passage: Passage = {
        id: passageIdOf(context),
        text: context,
        ...(title === undefined ? {} : { title: title.replaceAll("_", " "), metadata: { document: title } }),
      }
      yield { passage, article: title, questions: qas ?? [] }
    }
  }
}
