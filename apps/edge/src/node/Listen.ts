import { createServer, type ServerResponse, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { getRequestListener } from "@hono/node-server"
import { Effect } from "effect"
import { AddressUnavailableError } from "../Errors.ts"
import type { Handler } from "../Handler.ts"
import { Refusal, refusalBody, refusalResponse } from "../Refusal.ts"

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

/** What is said of a request that Node's parser refuses, by the error's code. */
const refusedByNode = (code: string | undefined): Refusal => {
  if (code === "HPE_HEADER_OVERFLOW")
    return new Refusal(431, "the head of the request is too long", { code: "request_header_too_large" })
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW")
    return new Refusal(413, "the chunks' extensions are too long", { code: "request_too_large" })
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new Refusal(408, "the request was not there in time", { code: "request_timeout" })
  return new Refusal(400, "the request is no HTTP", { code: "invalid_request" })
}

/** The last response of a connection. */
const lastResponse = (refusal: Refusal) => {
  const body = JSON.stringify(refusalBody(refusal))
  const headers = {
    "content-type": "application/json",
    "content-length": `${Buffer.byteLength(body)}`,
    connection: "close",
  }
  return { body, headers }
}

/** Milliseconds that a refused client may take for what it is told, before its connection is closed. */
const lingers = 1_000

/** Writes a refusal to a connection that no response has begun on, and ends it. */
const refuseOn = (socket: Duplex, refusal: Refusal): void => {
  const { body, headers } = lastResponse(refusal)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n${lines.join("")}\r\n${body}`)
  setTimeout(() => socket.destroy(), lingers).unref()
}

/** Milliseconds: how long a client may take for its headers and all it sends, and an idle connection is kept. */
const times = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
  // What has no host is refused below, in words.
  requireHostHeader: false,
}

const onNode: Listen = async (fetch, host, port) => {
  const server = createServer(
    times,
    getRequestListener(fetch, { overrideGlobalObjects: false, errorHandler: malformed }),
  )
  server.maxConnections = connections
  const answering = new WeakMap<Duplex, ServerResponse>()
  server.on("request", ({ socket }, response) => answering.set(socket, response))
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const response = answering.get(socket)
    const isAnswering = response?.headersSent === true && !response.writableFinished
    if (isAnswering || error.code === "ECONNRESET") socket.destroy()
    else if (socket.writable) refuseOn(socket, refusedByNode(error.code))
  })
  server.on("checkExpectation", (_, response) => {
    const refusal = new Refusal(417, "nothing can be expected but `100-continue`", { code: "expectation_failed" })
    const { body, headers } = lastResponse(refusal)
    response.writeHead(refusal.status, headers).end(body)
  })
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
