import type { Chunk } from "@tandem/documents"
import { Effect, Result, Schema } from "effect"
import { askFor } from "../model/AskFor.ts"
import type { Asking, Exchange, ModelRequest } from "../model/Model.ts"
import { jsonObjectsIn } from "../model/Reply.ts"
import type { DatagenPrompts } from "../prompt/Prompts.ts"
import { correcting, seedOf } from "./Filter.ts"
import { labelledPairs } from "./ReadTurns.ts"

/** A question that a chunk answers. */
export interface WrittenQuestion {
  readonly question: string
  /** Where answers were asked for. */
  readonly answer?: string
}

/** What came of a chunk: questions that it answers, or why there are none, with all that was said. */
export interface WrittenQuestions {
  readonly chunk: Chunk
  readonly questions: Result.Result<readonly WrittenQuestion[], string>
  readonly exchanges: readonly Exchange[]
}

export interface WriteQuestionsOptions {
  readonly prompts: Pick<DatagenPrompts, "rag_questions" | "rag_correction">
  readonly seed: number
  /** Most times that the model is told what was wrong. */
  readonly corrections: number
  /** Most questions of a chunk. */
  readonly count: number
  /** Whether each question is to have its answer beside it, for a reader to learn; false where absent. */
  readonly answers?: boolean
}

const words = { type: "string" } as const
const pair = {
  type: "object",
  properties: { question: words, answer: words },
  required: ["question", "answer"],
  additionalProperties: false,
} as const

const formatOf = (items: typeof words | typeof pair) =>
  ({
    kind: "schema",
    name: "questions",
    schema: {
      type: "object",
      properties: { questions: { type: "array", items } },
      required: ["questions"],
      additionalProperties: false,
    },
  }) as const

/** What the model is asked about a chunk, at first. */
export const questionsRequest = (
  { id, text, source, heading = "" }: Chunk,
  { prompts, seed, count, answers = false }: WriteQuestionsOptions,
) =>
  ({
    messages: prompts.rag_questions.render({ text, source, heading, count, answers }),
    format: formatOf(answers ? pair : words),
    seed: seedOf(seed, id),
  }) satisfies ModelRequest

/** Has a model write questions that a chunk answers, for a retriever to find it by, and answers for a reader to learn. */
export const writeQuestions = <E>(
  model: Asking<E>,
  chunk: Chunk,
  options: WriteQuestionsOptions,
): Effect.Effect<WrittenQuestions, E> =>
  askFor(model, {
    ...questionsRequest(chunk, options),
    read: (reply) =>
      Result.map((options.answers === true ? readAnsweredQuestions : readQuestions)(reply), (questions) =>
        questions.slice(0, options.count),
      ),
    ...correcting(options),
  }).pipe(Effect.map(({ answer, exchanges }) => ({ chunk, questions: answer, exchanges })))

const decode = Schema.decodeUnknownResult(Schema.Struct({ questions: Schema.Array(Schema.String) }))
const decodePairs = Schema.decodeUnknownResult(
  Schema.Struct({ questions: Schema.Array(Schema.Struct({ question: Schema.String, answer: Schema.String })) }),
)

/** More characters are no question but an answer that was not asked for. */
const longest = 400

/**
 * The questions of a reply: of its last JSON object that holds some, else its lines that end as questions do, which small
 * models write. What is empty, too long or said twice is none of them.
 */
export const readQuestions = (reply: string): Result.Result<readonly WrittenQuestion[], string> => {
  const written = jsonObjectsIn(reply).flatMap((value) => {
    const result = decode(value)
    return Result.isSuccess(result) ? [result.success.questions] : []
  })
  const lines = written.at(-1) ?? reply.split("\n").filter((line) => /[?？؟][\s"'”’*]*$/.test(line))
  const found = usable(lines.map((question) => ({ question })))
  return found.length > 0 ? Result.succeed(found) : Result.fail('it holds no JSON object {"questions": [text]}')
}

/**
 * The questions of a reply with their answers: of its last JSON object that holds some, else of lines that begin with
 * `Question:` and `Answer:`. A question without an answer is none of them.
 */
export const readAnsweredQuestions = (reply: string): Result.Result<readonly WrittenQuestion[], string> => {
  const written = jsonObjectsIn(reply).flatMap((value) => {
    const result = decodePairs(value)
    return Result.isSuccess(result) ? [result.success.questions] : []
  })
  const pairs = (written.at(-1) ?? labelledPairs(reply)).map(({ question, answer }) => ({
    question,
    answer: answer.trim(),
  }))
  const found = usable(pairs.filter(({ answer: { length } }) => length > 0 && length <= longest))
  if (found.length > 0) return Result.succeed(found)
  return Result.fail('it holds no JSON object {"questions": [{"question": text, "answer": text}]}')
}

/** Questions without signs of lists before them, each once. */
const usable = (written: readonly WrittenQuestion[]): readonly WrittenQuestion[] => {
  const found = new Map<string, WrittenQuestion>()
  for (const one of written) {
    const question = one.question.replace(/^\s*(?:[-*•]|\d{1,2}[.)])?\s*/, "").trim()
    if (question === "" || question.length > longest || found.has(question)) continue
    found.set(question, { ...one, question })
  }
  return [...found.values()]
}
