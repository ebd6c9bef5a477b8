import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** A request that came in. */
export interface Received {
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: Readonly<Record<string, unknown>>
}

export type Handler = (response: ServerResponse, request: Received) => void

/** A server on this machine that answers each request by the next handler, and all further ones by the last. */
export interface Endpoint {
  readonly baseUrl: string
  readonly received: readonly Received[]
  /** Requests that were under way at once, at most. */
  readonly most: () => number
  /** Connections that the client closed before it was answered. */
  readonly dropped: () => number
  readonly close: () => Promise<void>
}

export const endpoint = async (...handlers: readonly Handler[]): Promise<Endpoint> => {
  const received: Received[] = []
  let open = 0
  let most = 0
  let dropped = 0
  const server = createServer((request, response) => {
    open += 1
    most = Math.max(most, open)
    response.on("close", () => {
      open -= 1
      if (!response.writableEnded) dropped += 1
    })
    const chunks: Buffer[] = []
    request.on("data", (chunk) => chunks.push(chunk))
    request.on("end", () => {
      const one = {
        path: request.url ?? "",
        headers: request.headers,
        body: JSON.parse(Buffer.concat(chunks).toString()),
      }
      received.push(one)
      handlers[Math.min(received.length, handlers.length) - 1]?.(response, one)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    received,
    most: () => most,
    dropped: () => dropped,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export const json =
  (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Handler =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(typeof body === "string" ? body : JSON.stringify(body))
  }

/** Events one after another, and then the connection's end, or its destruction. */
export const events =
  (parts: readonly unknown[], ending: "done" | "end" | "cut" = "done"): Handler =>
  (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(": welcome\r\n\r\n")
    for (const part of parts) response.write(`data: ${JSON.stringify(part)}\n\n`)
    if (ending === "done") response.end("data: [DONE]\n\n")
    else if (ending === "end") response.end()
    else setTimeout(() => response.destroy(), 20)
  }

/** A choice of a conversation's response. */
export const said = (content: string, more: Readonly<Record<string, unknown>> = {}) => ({
  index: 0,
  message: { role: "assistant", content },
  finish_reason: "stop",
  ...more,
})
