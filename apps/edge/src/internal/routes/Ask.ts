import type { Answer, AskEvent } from "@tandem/rag"
import type { Schema } from "effect"
import { checkAnswers, checkTexts, longestOf, readOf } from "../Checks.ts"
import type { Call, Desk } from "../Desk.ts"
import { eventResponse, type ServerEvent } from "../EventStream.ts"
import type { AskBody } from "../RequestBodies.ts"
import { told } from "../Told.ts"

/** `/ask`: an answer with its sources, as a whole or while it is written. */
export const ask = async (desk: Desk, call: Call<Schema.Schema.Type<typeof AskBody>>): Promise<Response> => {
  const { body, signal } = call
  checkAnswers(desk)
  checkTexts(desk, [body.query], "query")
  const options = { ...readOf(desk, body.k), ...longestOf(desk, body.max_tokens) }
  if (body.stream === true) {
    const events = desk.served.askStream(body.query, { ...options, signal })
    return eventResponse(named(told(desk, call, events), body.query), call)
  }
  const answer = await desk.served.ask(body.query, { ...options, signal })
  desk.telemetry.tokens("read", answer.promptTokens)
  desk.telemetry.tokens("written", answer.tokens.length)
  return Response.json(answered(body.query, answer))
}

const answered = (query: string, { promptTokens, ...answer }: Answer) => ({
  query,
  ...answer,
  usage: { prompt_tokens: promptTokens, completion_tokens: answer.tokens.length },
})

async function* named(events: AsyncIterable<AskEvent>, query: string): AsyncGenerator<ServerEvent> {
  for await (const event of events) {
    if (event.type === "sources") yield { name: "sources", data: JSON.stringify({ sources: event.sources }) }
    else if (event.type === "token") yield { name: "token", data: JSON.stringify(event.token) }
    else yield { name: "done", data: JSON.stringify(answered(query, event.answer)) }
  }
}
