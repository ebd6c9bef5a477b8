// A handler that listens on a free port of this machine, and requests of bytes that no client would send.
import { connect } from "node:net"
import { type HandlerOptions, makeHandler, type Served } from "@tandem/edge"
import { listen } from "@tandem/edge/node/Listen"
import { Effect } from "effect"

export interface Server extends AsyncDisposable {
  readonly url: string
  readonly port: number
}

export const serve = async (served: Served, options: HandlerOptions = {}): Promise<Server> => {
  const handler = makeHandler(served, options)
  const { url, close } = await Effect.runPromise(listen(handler.fetch, { port: 0 }))
  return {
    url,
    port: Number(new URL(url).port),
    [Symbol.asyncDispose]: async () => {
      await handler.close(1)
      await close()
    },
  }
}

/** Sends pieces of bytes one after the other and tells what came back until the server closed, or `seconds` were over. */
export const sendBytes = (port: number, pieces: readonly (string | Uint8Array)[], seconds = 10): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    let found = ""
    const end = (): void => {
      clearTimeout(clock)
      socket.destroy()
      resolve(found)
    }
    const clock = setTimeout(end, seconds * 1000)
    socket.setEncoding("latin1")
    socket.on("data", (text: string) => {
      found += text
      if (isWhole(found)) end()
    })
    socket.on("error", end)
    socket.on("close", end)
    for (const piece of pieces) socket.write(piece)
  })

/** Whether a response of a known length, or one in chunks, is there as a whole. */
const isWhole = (text: string): boolean => {
  const end = text.indexOf("\r\n\r\n")
  if (end < 0) return false
  const length = /^content-length: (\d+)/im.exec(text.slice(0, end))?.[1]
  return length === undefined ? text.endsWith("0\r\n\r\n") : text.length - end - 4 >= Number(length)
}

/** The status of a response, 0 where none came. */
export const statusOf = (response: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(response)?.[1] ?? 0)
