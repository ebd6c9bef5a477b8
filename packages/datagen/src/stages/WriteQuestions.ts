import type { Chunk } from "@tandem/documents"
import { Effect, Result, Schema } from "effect"
import { askFor } from "../model/AskFor.ts"
import type { Asking, Exchange, ModelRequest } from "../model/Model.ts"
import { jsonObjectsIn } from "../model/Reply.ts"
import type { DatagenPrompts } from "../prompt/Prompts.ts"
import { correcting, seedOf } from "./Filter.ts"

/** What came of a chunk: questions that it answers, or why there are none, with all that was said. */
export interface WrittenQuestions {
  readonly chunk: Chunk
  readonly questions: Result.Result<readonly string[], string>
  readonly exchanges: readonly Exchange[]
}

export interface WriteQuestionsOptions {
  readonly prompts: Pick<DatagenPrompts, "rag_questions" | "rag_correction">
  readonly seed: number
  /** Most times that the model is told what was wrong. */
  readonly corrections: number
  /** Most questions of a chunk. */
  readonly count: number
}

const questionsFormat = {
  kind: "schema",
  name: "questions",
  schema: {
    type: "object",
    properties: { questions: { type: "array", items: { type: "string" } } },
    required: ["questions"],
    additionalProperties: false,
  },
} as const

/** What the model is asked about a chunk, at first. */
export const questionsRequest = (
  { id, text, source, heading = "" }: Chunk,
  { prompts, seed, count }: WriteQuestionsOptions,
): ModelRequest => ({
  messages: prompts.rag_questions.render({ text, source, heading, count }),
  format: questionsFormat,
  seed: seedOf(seed, id),
})

/** Has a model write questions that a chunk answers, for a retriever to find it by. */
export const writeQuestions = <E>(
  model: Asking<E>,
  chunk: Chunk,
  options: WriteQuestionsOptions,
): Effect.Effect<WrittenQuestions, E> =>
  askFor(model, {
    ...questionsRequest(chunk, options),
    format: questionsFormat,
    read: (reply) => Result.map(readQuestions(reply), (questions) => questions.slice(0, options.count)),
    ...correcting(options),
  }).pipe(Effect.map(({ answer, exchanges }) => ({ chunk, questions: answer, exchanges })))

const decode = Schema.decodeUnknownResult(Schema.Struct({ questions: Schema.Array(Schema.String) }))

/** More characters are no question but an answer that was not asked for. */
const longest = 400

/**
 * The questions of a reply: of its last JSON object that holds some, else its lines that end as questions do, which small
 * models write. What is empty, too long or said twice is none of them.
 */
export const readQuestions = (reply: string): Result.Result<readonly string[], string> => {
  const written = jsonObjectsIn(reply).flatMap((value) => {
    const result = decode(value)
    return Result.isSuccess(result) ? [result.success.questions] : []
  })
  const lines = written.at(-1) ?? reply.split("\n").filter((line) => /[?？؟][\s"'”’*]*$/.test(line))
  const questions = new Set(lines.map((line) => line.replace(/^\s*(?:[-*•]|\d{1,2}[.)])?\s*/, "").trim()))
  const found = [...questions].filter(({ length }) => length > 0 && length <= longest)
  return found.length > 0 ? Result.succeed(found) : Result.fail('it holds no JSON object {"questions": [text]}')
}
