import type { Message, OutputFormat } from "@tandem/generator"
import { Effect, Result } from "effect"
import type { Asking, Exchange } from "./Model.ts"

/** A question whose answer has a form. */
export interface Question<A> {
  readonly messages: readonly Message[]
  readonly format: Extract<OutputFormat, { kind: "schema" }>
  /** The answer that a reply gives, or what is wrong with it, in words for the model. */
  readonly read: (reply: string) => Result.Result<A, string>
  /** What the model is told after a reply that cannot be used. */
  readonly correction: (problem: string) => string
  /** Most times that it is told so. */
  readonly corrections: number
  readonly seed: number
}

/** What came of a question: the answer or why there is none, with all that was said. */
export interface Asked<A> {
  readonly answer: Result.Result<A, string>
  readonly exchanges: readonly Exchange[]
}

/** Characters of a reply that its correction repeats. */
const repeated = 4000

/**
 * Asks a model until its reply has the form that is asked for. A reply that was cut off, is empty or cannot be read is answered
 * by what was wrong, a few times; one that the endpoint refuses is not.
 */
export const askFor = Effect.fnUntraced(function* <A, E>(
  model: Asking<E>,
  question: Question<A>,
): Effect.fn.Return<Asked<A>, E> {
  const { messages, format, corrections, seed, correction } = question
  const exchanges: Exchange[] = []
  let asked = messages
  for (let turn = 0; ; turn++) {
    const exchange = yield* model.call({ messages: asked, format, seed: seed + turn })
    exchanges.push(exchange)
    if (exchange.finish === "refused") {
      return { answer: Result.fail(`the endpoint gave no answer: ${exchange.reply}`), exchanges }
    }
    const answer = readReply(exchange, question.read)
    if (Result.isSuccess(answer) || turn >= corrections) return { answer, exchanges }
    const { reply } = exchange
    const told = correction(answer.failure)
    asked =
      reply === ""
        ? withLast(messages, told)
        : [...messages, { role: "assistant", content: reply.slice(0, repeated) }, { role: "user", content: told }]
  }
})

/** What a whole reply says; a reply that was cut off says nothing, whatever can be read of it. */
const readReply = <A>({ reply, finish }: Exchange, read: Question<A>["read"]): Result.Result<A, string> => {
  if (finish === "length") return Result.fail("the reply was cut off because it was too long")
  if (reply === "") return Result.fail("the reply was empty")
  return read(reply)
}

/** The messages with a text added to the last one, so that two turns of one side never follow one another. */
const withLast = (messages: readonly Message[], text: string): readonly Message[] => {
  const last = messages.at(-1)
  if (last?.role !== "user") return [...messages, { role: "user", content: text }]
  return [...messages.slice(0, -1), { role: "user", content: `${last.content}\n\n${text}` }]
}
