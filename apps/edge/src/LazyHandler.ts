import { type Handler, makeHandler } from "./Handler.ts"
import type { HandlerOptions } from "./HandlerOptions.ts"
import { refusalOf } from "./internal/Faults.ts"
import { makeLifetimes } from "./internal/Lifetime.ts"
import { beginVisit } from "./internal/Visit.ts"
import { defaultLimits } from "./Limits.ts"
import { Refusal, refusalResponse } from "./Refusal.ts"
import type { Served } from "./Served.ts"

/**
 * A handler whose system is opened by the first request, for platforms that start a program with a request. Requests that come
 * meanwhile wait for it, and not longer than a request may take. Where it cannot be opened they get 503, and the next request
 * tries again.
 */
export const lazyHandler = (open: () => Promise<Served>, options: HandlerOptions = {}): Handler["fetch"] => {
  let opening: Promise<Handler> | undefined
  const { observe = () => {} } = options
  const lifetimes = makeLifetimes({ ...defaultLimits, ...options.limits }.seconds)
  return async (request) => {
    const visit = beginVisit(request.headers, () => performance.now() / 1000)
    opening ??= open().then((served) => makeHandler(served, options))
    const mine = opening
    // A client that has gone does not end what others wait for, too.
    const { signal, end } = lifetimes.begin(noClient)
    let handler: Handler
    try {
      handler = await Promise.race([mine, over(signal)])
    } catch (cause) {
      const refusal = signal.aborted
        ? refusalOf(signal.reason)
        : new Refusal(503, "what is served could not be opened", { code: "server_error", retryAfter: 5 })
      if (opening === mine) opening = undefined
      visit.failed(cause)
      const { id, route } = visit
      const { status } = refusal
      observe({ id, method: request.method, route, status, seconds: visit.elapsed(), ...visit.fault() })
      return refusalResponse(refusal)
    } finally {
      end()
    }
    return handler.fetch(request)
  }
}

const noClient = new AbortController().signal

/** Rejects when the signal is aborted. */
const over = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  })
