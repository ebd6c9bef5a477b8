import { Schema } from "effect"
import { EmptyFileError } from "./Errors.ts"
import { passageIdOf } from "./internal/ContentHash.ts"
import { rowDecoder } from "./internal/Decode.ts"
import { parseJson } from "./internal/JsonText.ts"
import type { Passage } from "./Passage.ts"
import type { ExampleRow, PassageRow, Source } from "./Source.ts"

const decode = rowDecoder(
  Schema.Struct({
    data: Schema.Array(
      Schema.Struct({
        title: Schema.optionalKey(Schema.String),
        paragraphs: Schema.Array(
          Schema.Struct({
            context: Schema.NonEmptyString,
            qas: Schema.Array(
              Schema.Struct({
                id: Schema.String,
                question: Schema.NonEmptyString,
                answers: Schema.optionalKey(Schema.Array(Schema.Struct({ text: Schema.String }))),
              }),
            ),
          }),
        ),
      }),
    ),
  }),
)

/**
 * Questions of SQuAD 1.1 (version 2's unanswerable ones have no answers): each with its paragraph as the positive.
 *
 * A paragraph's id is a hash of its text, so it is the same in every file and equal paragraphs are one passage. The
 * article is the passage's title, with spaces for underscores, its `metadata.document` and the example's `group`.
 */
export async function* parseSquad(source: Source): AsyncGenerator<ExampleRow> {
  for await (const { passage, article, questions } of paragraphs(source)) {
    for (const { id, question, answers } of questions) {
      yield {
        file: source.file,
        line: 1,
        passages: [passage],
        example: {
          id,
          query: question.trim(),
          positives: [passage.id],
          negatives: [],
          answers: [...new Set((answers ?? []).map((answer) => answer.text))],
          ...(article === undefined ? {} : { group: article }),
        },
      }
    }
  }
}

/** The paragraphs of a SQuAD file as a corpus, those without questions included. */
export async function* parseSquadPassages(source: Source): AsyncGenerator<PassageRow> {
  for await (const { passage } of paragraphs(source)) yield { file: source.file, line: 1, passage }
}

async function* paragraphs(source: Source) {
  let text = ""
  for await (const chunk of source.chunks) text += chunk
  const place = { file: source.file, line: 1 }
  if (text.trim() === "") throw new EmptyFileError({ message: `${source.file} is empty.`, file: source.file })
  for (const article of decode(parseJson(text, place, true), place).data) {
    for (const { context, qas } of article.paragraphs) {
      const passage: Passage = {
        id: passageIdOf(context),
        text: context,
        ...(article.title === undefined
          ? {}
          : { title: article.title.replaceAll("_", " "), metadata: { document: article.title } }),
      }
      yield { passage, article: article.title, questions: qas }
    }
  }
}
