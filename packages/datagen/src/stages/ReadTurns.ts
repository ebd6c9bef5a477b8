import { Result, Schema } from "effect"
import type { Turn } from "../Item.ts"
import { jsonObjectsIn, withoutThoughts } from "../model/Reply.ts"

/** A conversation's form as endpoints take it. */
export const turnsFormat = (thoughts: boolean) => {
  const text = { type: "string" }
  const properties = thoughts ? { question: text, thoughts: text, answer: text } : { question: text, answer: text }
  const turn = { type: "object", properties, required: Object.keys(properties), additionalProperties: false }
  return {
    kind: "schema",
    name: "conversation",
    schema: {
      type: "object",
      properties: { turns: { type: "array", items: turn } },
      required: ["turns"],
      additionalProperties: false,
    },
  } as const
}

const Turns = Schema.Struct({
  turns: Schema.Array(
    Schema.Struct({
      question: Schema.String,
      answer: Schema.String,
      thoughts: Schema.optional(Schema.NullOr(Schema.String)),
    }),
  ),
})

const decode = Schema.decodeUnknownResult(Turns)

/** Most questions of a conversation. */
const most = 8

/**
 * The turns of a reply: of its last JSON object that is a conversation, else of lines that begin with a label, as `Question:`
 * and `Answer:`, which small models write. Thoughts are taken off answers and kept apart. What cannot be read, and a question
 * or an answer that is empty, is a problem, which is told.
 */
export const readTurns = (reply: string): Result.Result<readonly Turn[], string> => {
  const written = jsonObjectsIn(reply).flatMap((value) => {
    const result = decode(value)
    return Result.isSuccess(result) ? [result.success.turns] : []
  })
  const pairs = written.at(-1) ?? labelledPairs(reply)
  if (pairs.length === 0) return Result.fail('it holds no JSON object {"turns": [{"question": text, "answer": text}]}')
  if (pairs.length > most) return Result.fail(`it has ${pairs.length} questions, more than ${most}`)
  const turns = pairs.flatMap(({ question, answer, thoughts }): readonly Turn[] => {
    const spoken = withoutThoughts(answer)
    const thought = [thoughts ?? "", spoken.thoughts ?? ""].map((part) => part.trim()).filter((part) => part !== "")
    return [
      { role: "user", text: question.trim() },
      { role: "assistant", text: spoken.text, ...(thought.length === 0 ? {} : { thoughts: thought.join("\n\n") }) },
    ]
  })
  const empty = turns.findIndex(({ text }) => text === "")
  if (empty < 0) return Result.succeed(turns)
  return Result.fail(`${empty % 2 === 0 ? "question" : "answer"} ${Math.floor(empty / 2) + 1} is empty`)
}

export interface Pair {
  readonly question: string
  readonly answer: string
  readonly thoughts?: string | null | undefined
}

const label =
  /^[\s*#>-]*(question|user|q|frage|pregunta|问题|answer|assistant|a|antwort|réponse|respuesta|回答)[ \t]*\d{0,2}[*\s]*[:：][*\s]*/i
const questions = new Set(["question", "user", "q", "frage", "pregunta", "问题"])

/** Pairs of a reply's lines that begin with labels; what stands before the first label is none of them. */
export const labelledPairs = (reply: string): readonly Pair[] => {
  const sides: { readonly asks: boolean; text: string }[] = []
  for (const line of reply.split("\n")) {
    const found = label.exec(line.slice(0, 200))
    const last = sides.at(-1)
    if (found !== null) {
      sides.push({ asks: questions.has((found[1] ?? "").toLowerCase()), text: line.slice(found[0].length) })
    } else if (last !== undefined) last.text += `\n${line}`
  }
  const pairs: Pair[] = []
  for (const [index, { asks, text }] of sides.entries()) {
    const next = sides[index + 1]
    if (asks !== (index % 2 === 0)) return []
    if (asks && next !== undefined) pairs.push({ question: text, answer: next.text })
  }
  return sides.length % 2 === 0 ? pairs : []
}
