/** An event of a stream: its data, and a name where it has one. */
export interface ServerEvent {
  readonly name?: string
  readonly data: string
}

const encoder = new TextEncoder()

const encode = ({ name, data }: ServerEvent): Uint8Array =>
  encoder.encode(`${name === undefined ? "" : `event: ${name}\n`}${data.replace(/^/gm, "data: ")}\n\n`)

/**
 * Server-sent events (HTML standard, 9.2) as they come. The next is drawn when the one before has been taken, so a client that
 * reads slowly slows the writer. `closed` is called once, when all were sent or the client has gone; then the source is told.
 */
export const eventStream = (
  events: AsyncIterable<ServerEvent>,
  closed: (outcome: "whole" | "gone" | "failed") => void,
): ReadableStream<Uint8Array> => {
  const source = events[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await source.next()
        if (!done) return controller.enqueue(encode(value))
        closed("whole")
        controller.close()
      } catch (cause) {
        closed("failed")
        controller.error(cause)
      }
    },
    async cancel() {
      closed("gone")
      await source.return?.()
    },
  }, { highWaterMark: 0 })
}

/** Headers of a stream of events, which nobody on the way may keep or hold back. */
export const eventStreamHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
} as const
