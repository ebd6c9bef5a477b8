import type { Answer, AnswerToken, AskEvent } from "@tandem/rag"
import type { Schema } from "effect"
import { checkAnswers, checkTexts, longestOf, readOf } from "../Checks.ts"
import { type Question, questionOf } from "../Conversation.ts"
import type { Call, Desk } from "../Desk.ts"
import { eventResponse, type ServerEvent } from "../EventStream.ts"
import type { ChatBody } from "../RequestBodies.ts"
import { told } from "../Told.ts"
import { checkChatModel } from "./Models.ts"

type Body = Schema.Schema.Type<typeof ChatBody>

/**
 * `/v1/chat/completions` as OpenAI has it. Passages are found for the last turn and the answer written from them; the field
 * `tandem` tells the sources, how sure the answer is, and which turns were not read.
 */
export const chat = async (desk: Desk, call: Call<Body>): Promise<Response> => {
  const { body, signal } = call
  checkAnswers(desk)
  checkChatModel(desk, body.model)
  const question = questionOf(body.messages)
  checkTexts(desk, [question.query], "messages")
  const longest = longestOf(desk, body.max_completion_tokens ?? body.max_tokens)
  const options = { ...readOf(desk, body.k), ...longest }
  const frame = {
    id: `chatcmpl-${crypto.randomUUID()}`,
    created: Math.floor(Date.now() / 1000),
    model: body.model,
  }
  if (body.stream === true) {
    const events = desk.served.askStream(question.query, { ...options, signal })
    return eventResponse(
      chunks(told(desk, call, events), { ...frame, object: "chat.completion.chunk" }, body, question),
      call,
    )
  }
  const answer = await desk.served.ask(question.query, { ...options, signal })
  desk.telemetry.tokens("read", answer.promptTokens)
  desk.telemetry.tokens("written", answer.tokens.length)
  return Response.json({
    ...frame,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: answer.answer, refusal: null },
        logprobs: body.logprobs === true ? { content: answer.tokens.map(logprobOf), refusal: null } : null,
        finish_reason: finishOf(answer),
      },
    ],
    usage: usageOf(answer),
    tandem: explained(answer, question),
  })
}

const finishOf = ({ finish }: Answer): "stop" | "length" => (finish === "length" ? "length" : "stop")

const usageOf = ({ promptTokens, tokens }: Answer) => ({
  prompt_tokens: promptTokens,
  completion_tokens: tokens.length,
  total_tokens: promptTokens + tokens.length,
})

const logprobOf = ({ text, logprob }: AnswerToken) => ({
  token: text,
  logprob,
  bytes: [...new TextEncoder().encode(text)],
  top_logprobs: [],
})

const explained = ({ sources, confidence, tokens }: Answer, { unread }: Question) => ({
  sources,
  confidence,
  tokens: tokens.map(({ text, weights }) => ({ text, weights })),
  unread,
})

interface Frame {
  readonly id: string
  readonly object: "chat.completion.chunk"
  readonly created: number
  readonly model: string
}

/** Chunks of a streamed answer: its sources first, then its words, how it ended, and what it took where that was asked for. */
async function* chunks(
  events: AsyncIterable<AskEvent>,
  frame: Frame,
  body: Body,
  question: Question,
): AsyncGenerator<ServerEvent> {
  const chunk = (delta: object, more: object = {}, rest: object = {}): ServerEvent => ({
    data: JSON.stringify({
      ...frame,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...more }],
      ...(body.stream_options?.include_usage === true ? { usage: null } : {}),
      ...rest,
    }),
  })
  const shown = withoutEdges()
  for await (const event of events) {
    if (event.type === "sources") {
      yield chunk(
        { role: "assistant", content: "" },
        {},
        { tandem: { sources: event.sources, unread: question.unread } },
      )
    } else if (event.type === "token") {
      const logprobs = body.logprobs === true ? { logprobs: { content: [logprobOf(event.token)], refusal: null } } : {}
      yield chunk({ content: shown(event.token.text) }, logprobs)
    } else {
      const { answer } = event
      yield chunk({}, { finish_reason: finishOf(answer) }, { tandem: explained(answer, question) })
      if (body.stream_options?.include_usage === true)
        yield { data: JSON.stringify({ ...frame, choices: [], usage: usageOf(answer) }) }
    }
  }
  yield { data: "[DONE]" }
}

/** Pieces of a text without the blanks around the whole: those at its end are held back until more comes. */
const withoutEdges = (): ((piece: string) => string) => {
  let [begun, held] = [false, ""]
  return (piece) => {
    const text = begun ? held + piece : piece.trimStart()
    const kept = text.trimEnd()
    begun ||= kept !== ""
    held = text.slice(kept.length)
    return kept
  }
}
