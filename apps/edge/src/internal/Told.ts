import type { AskEvent } from "@tandem/rag"
import type { Call, Desk } from "./Desk.ts"

/** The events of an answer, counted while they pass. */
export async function* told(
  { telemetry }: Desk,
  { elapsed }: Call<unknown>,
  events: AsyncIterable<AskEvent>,
): AsyncGenerator<AskEvent> {
  let first = true
  for await (const event of events) {
    if (event.type === "token" && first) {
      first = false
      telemetry.firstToken(elapsed())
    }
    if (event.type === "done") {
      telemetry.tokens("read", event.answer.promptTokens)
      telemetry.tokens("written", event.answer.tokens.length)
    }
    yield event
  }
}
