import { type Handler, makeHandler } from "./Handler.ts"
import type { HandlerOptions } from "./HandlerOptions.ts"
import { beginVisit } from "./internal/Visit.ts"
import { Refusal, refusalResponse } from "./Refusal.ts"
import type { Served } from "./Served.ts"

/**
 * A handler whose system is opened by the first request, for platforms that start a program with a request. Requests that come
 * meanwhile wait for it. Where it cannot be opened they get 503, and the next request tries again.
 */
export const lazyHandler = (open: () => Promise<Served>, options: HandlerOptions = {}): Handler["fetch"] => {
  let opening: Promise<Handler> | undefined
  const { observe = () => {} } = options
  const status = 503
  return async (request) => {
    const visit = beginVisit(request.headers, () => performance.now() / 1000)
    opening ??= open().then((served) => makeHandler(served, options))
    const mine = opening
    let handler: Handler
    try {
      handler = await mine
    } catch (cause) {
      if (opening === mine) opening = undefined
      visit.failed(cause)
      const { id, route } = visit
      observe({ id, method: request.method, route, status, seconds: visit.elapsed(), ...visit.fault() })
      return refusalResponse(
        new Refusal(status, "what is served could not be opened", { code: "server_error", retryAfter: 5 }),
      )
    }
    return handler.fetch(request)
  }
}
