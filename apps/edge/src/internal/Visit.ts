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

/** A response that tells when it was sent as a whole, or its client has gone; at once where it has no stream. */
export const whenSent = (response: Response, sent: () => void): Response => {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true
  if (!isStream || response.body === null) {
    sent()
    return response
  }
  const reader = response.body.getReader()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read()
        if (!done) return controller.enqueue(value)
        sent()
        controller.close()
      },
      async cancel(reason) {
        try {
          await reader.cancel(reason)
        } finally {
          sent()
        }
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, response)
}
