import { refusalBody } from "../Refusal.ts"
import type { Call } from "./Desk.ts"
import { refusalOf } from "./Faults.ts"

/** An event of a stream: its data, and a name where it has one. */
export interface ServerEvent {
  readonly name?: string
  readonly data: string
}

const encoder = new TextEncoder()

const encode = ({ name, data }: ServerEvent): Uint8Array =>
  encoder.encode(`${name === undefined ? "" : `event: ${name}\n`}data: ${data}\n\n`)

/**
 * Events as they come, the last of which tells of a failure where there was one: what has begun to be sent has a status
 * already. The next is drawn when the one before has been taken, so that a client that reads slowly slows the writer, and
 * one that has gone ends it.
 */
const bytesOf = (events: AsyncIterator<ServerEvent>, { failed }: Call<unknown>): ReadableStream<Uint8Array> =>
  new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await events.next()
          if (!done) return controller.enqueue(encode(value))
        } catch (cause) {
          failed(cause)
          controller.enqueue(encode({ name: "error", data: JSON.stringify(refusalBody(refusalOf(cause))) }))
        }
        controller.close()
      },
      async cancel() {
        await events.return?.()
      },
    },
    { highWaterMark: 0 },
  )

/** Server-sent events (HTML standard, 9.2), which nobody on the way may keep or hold back; their data have one line each. */
export const eventResponse = async (events: AsyncIterable<ServerEvent>, call: Call<unknown>): Promise<Response> => {
  const iterator = events[Symbol.asyncIterator]()
  // What fails before anything was sent is answered with its own status.
  const first = await iterator.next()
  const all: AsyncIterator<ServerEvent> = {
    next: async () => {
      all.next = () => iterator.next()
      return first
    },
    return: async (value) => iterator.return?.(value) ?? { done: true, value },
  }
  return new Response(bytesOf(all, call), {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  })
}
