import { createServer } from "node:http"
import { getRequestListener } from "@hono/node-server"
import { Effect } from "effect"
import { AddressUnavailableError } from "../Errors.ts"
import type { Handler } from "../Handler.ts"
import { Refusal, refusalResponse } from "../Refusal.ts"

/** Where a server listens. */
export interface Address {
  /** `127.0.0.1`, so that this machine alone can ask, where absent. */
  readonly host?: string
  /** 0 takes one that is free. */
  readonly port: number
}

/** A server that listens. */
export interface Listening {
  readonly url: string
  /** Closes the address and the connections that are left. */
  readonly close: () => Promise<void>
}

type Fetch = Handler["fetch"]
type Listen = (fetch: Fetch, host: string, port: number) => Promise<Listening>

/** What is used of `Bun` and of `Deno`, which have servers of their own. */
interface BunServers {
  readonly serve: (options: {
    readonly hostname: string
    readonly port: number
    readonly fetch: Fetch
    readonly idleTimeout: number
    readonly development: boolean
  }) => { readonly port: number; readonly stop: (closeActiveConnections: boolean) => Promise<void> }
}
interface DenoServers {
  readonly serve: (
    options: { readonly hostname: string; readonly port: number; readonly onListen: () => void },
    fetch: Fetch,
  ) => {
    readonly addr: { readonly port: number }
    readonly shutdown: () => Promise<void>
    readonly finished: Promise<void>
  }
}
declare global {
  var Bun: BunServers | undefined
  var Deno: DenoServers | undefined
}

const urlOf = (host: string, port: number): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}`

const onBun =
  ({ serve }: BunServers): Listen =>
  async (fetch, hostname, port) => {
    const server = serve({ hostname, port, fetch, idleTimeout: 255, development: false })
    return { url: urlOf(hostname, server.port), close: () => server.stop(true) }
  }

const onDeno =
  ({ serve }: DenoServers): Listen =>
  async (fetch, hostname, port) => {
    const server = serve({ hostname, port, onListen: () => {} }, fetch)
    return { url: urlOf(hostname, server.addr.port), close: () => server.shutdown() }
  }

/** Most connections at once; what they ask for at once has limits of its own. */
const connections = 2048

const malformed = () =>
  refusalResponse(new Refusal(400, "the address or the host of the request is malformed", { code: "invalid_url" }))

/** Milliseconds: how long a client may take for its headers and all it sends, and an idle connection is kept. */
const times = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
}

const onNode: Listen = async (fetch, host, port) => {
  const server = createServer(
    times,
    getRequestListener(fetch, { overrideGlobalObjects: false, errorHandler: malformed }),
  )
  server.maxConnections = connections
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, host, () => {
      server.off("error", reject)
      resolve()
    })
  })
  const address = server.address()
  const taken = typeof address === "object" && address !== null ? address.port : port
  return {
    url: urlOf(host, taken),
    close: () =>
      new Promise((resolve) => {
        // Answers are still on their way: connections go when they are idle, and in the end all of them.
        const idle = setInterval(() => server.closeIdleConnections(), 50)
        const late = setTimeout(() => server.closeAllConnections(), 2_000)
        server.close(() => {
          clearInterval(idle)
          clearTimeout(late)
          resolve()
        })
      }),
  }
}

/** Listens for a handler with what this runtime has: Node, Bun or Deno. */
export const listen = (
  fetch: Fetch,
  { host = "127.0.0.1", port }: Address,
): Effect.Effect<Listening, AddressUnavailableError> =>
  Effect.tryPromise({
    try: () => {
      const { Bun, Deno } = globalThis
      const start = Bun !== undefined ? onBun(Bun) : Deno !== undefined ? onDeno(Deno) : onNode
      return start(fetch, host, port)
    },
    catch: (cause) =>
      new AddressUnavailableError({
        message: `${host}:${port} cannot be listened on: ${cause instanceof Error ? cause.message : String(cause)}`,
        field: "port",
        hint: "take another `port`, or end what listens there",
      }),
  })
