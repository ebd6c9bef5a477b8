import { Refusal } from "../Refusal.ts"

/** How long a request lives: until it was answered, its client has gone, its time is over or the server stops. */
export interface Lifetime {
  readonly signal: AbortSignal
  readonly end: () => void
}

/** The lifetimes of all requests that are under way. */
export interface Lifetimes {
  readonly begin: (client: AbortSignal) => Lifetime
  /** Ends all of them early. */
  readonly stop: () => void
}

/** The client of a request has gone: nobody reads what it would be told. */
export const clientGone = (): Refusal =>
  new Refusal(499, "the client has closed the connection", { code: "client_closed_request" })

/** Every lifetime has a controller and a clock of its own, which end with it: signals that live on hold nothing of it. */
export const makeLifetimes = (seconds: number): Lifetimes => {
  const live = new Set<AbortController>()
  return {
    begin: (client) => {
      const controller = new AbortController()
      const gone = (): void => controller.abort(clientGone())
      const clock = setTimeout(
        () =>
          controller.abort(
            new Refusal(503, `the answer was not there within ${seconds} seconds`, { code: "timeout", retryAfter: 1 }),
          ),
        seconds * 1000,
      )
      if (client.aborted) gone()
      client.addEventListener("abort", gone, { once: true })
      live.add(controller)
      return {
        signal: controller.signal,
        end: () => {
          clearTimeout(clock)
          client.removeEventListener("abort", gone)
          live.delete(controller)
        },
      }
    },
    stop: () => {
      for (const controller of live)
        controller.abort(new Refusal(503, "the server stops", { code: "server_stopping", retryAfter: 5 }))
    },
  }
}
