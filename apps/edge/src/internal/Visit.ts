import { faultOf } from "./Faults.ts"

/** A request on its way through the handler. */
export interface Visit {
  /** What its client calls it, or a name of our own. */
  readonly id: string
  readonly elapsed: () => number
  /** The pattern of its address. */
  route: string
  /** Gives back what it holds. */
  leave: () => void
  /** Says when its time is over, where it has one. */
  over?: AbortSignal
  readonly failed: (cause: unknown) => void
  readonly fault: () => { readonly fault?: string }
}

/** The name that a client gave a request, where it is one that can be sent back and logged. */
const givenName = (headers: Headers): string | undefined =>
  /^[\w.:-]{1,100}$/.exec(headers.get("x-request-id") ?? "")?.[0]

export const beginVisit = (headers: Headers, now: () => number): Visit => {
  const began = now()
  let fault: string | undefined
  return {
    id: givenName(headers) ?? crypto.randomUUID(),
    elapsed: () => now() - began,
    route: "unknown",
    leave: () => {},
    failed: (cause) => {
      fault = faultOf(cause)
    },
    fault: () => (fault === undefined ? {} : { fault }),
  }
}

/** Seconds in which a client may take the end of a stream whose time is over. */
const lastSeconds = 2

/**
 * A response that tells when it was sent as a whole, or its client has gone; at once where it has no stream. A client that takes
 * nothing more keeps a stream for a moment after `over` says that its time is over, and not for longer.
 */
export const whenSent = (response: Response, over: AbortSignal | undefined, sent: () => void): Response => {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true
  if (!isStream || response.body === null) {
    sent()
    return response
  }
  const reader = response.body.getReader()
  let expire = (): void => {}
  let clock: ReturnType<typeof setTimeout> | undefined
  const wait = (): void => {
    clock = setTimeout(() => expire(), lastSeconds * 1000)
  }
  let ended = false
  const end = (): void => {
    if (ended) return
    ended = true
    over?.removeEventListener("abort", wait)
    clearTimeout(clock)
    sent()
  }
  if (over?.aborted) wait()
  over?.addEventListener("abort", wait, { once: true })
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        expire = () => {
          end()
          controller.close()
          void reader.cancel().catch(() => {})
        }
      },
      async pull(controller) {
        const { done, value } = await reader.read()
        if (ended) return
        if (!done) return controller.enqueue(value)
        end()
        controller.close()
      },
      async cancel(reason) {
        try {
          await reader.cancel(reason)
        } finally {
          end()
        }
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, response)
}
