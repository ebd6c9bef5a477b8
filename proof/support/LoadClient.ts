// Clients of a server in a process of their own: each line of input is a load, each line of output what became of it. They speak
// HTTP by themselves over one connection each, so that the load costs as little as it can beside what is measured.
import { connect, type Socket } from "node:net"
import { createInterface } from "node:readline"

/** What is asked for, by how many clients, for how long. */
export interface Load {
  readonly port: number
  readonly path: string
  /** Bodies of requests, taken in turns. */
  readonly bodies: readonly string[]
  readonly clients: number
  readonly seconds: number
}

export interface LoadFigures {
  readonly requests: number
  readonly seconds: number
  /** Answers of another status than 200. */
  readonly refused: number
}

/** Sends one request and waits for its answer, whose length has to be announced; gives the status. */
const exchange = (socket: Socket, request: Buffer): Promise<number> =>
  new Promise((resolve, reject) => {
    let [head, missing, status] = ["", Number.POSITIVE_INFINITY, 0]
    const settle = (end: () => void): void => {
      socket.off("data", hear)
      socket.off("error", fail)
      socket.off("close", close)
      end()
    }
    const fail = (cause: Error): void => settle(() => reject(cause))
    const close = (): void => fail(new Error("the server closed the connection"))
    const hear = (chunk: Buffer): void => {
      if (missing === Number.POSITIVE_INFINITY) {
        head += chunk.toString("latin1")
        const end = head.indexOf("\r\n\r\n")
        if (end < 0) return
        const length = /^content-length: *(\d+)/im.exec(head.slice(0, end))?.[1]
        status = Number(head.slice(9, 12))
        missing = Number(length ?? Number.NaN) - (head.length - end - 4)
        if (Number.isNaN(missing)) fail(new Error("an answer of unknown length"))
      } else missing -= chunk.length
      if (missing <= 0) settle(() => resolve(status))
    }
    socket.on("data", hear)
    socket.on("error", fail)
    socket.on("close", close)
    socket.write(request)
  })

const measured = async ({ port, path, bodies, clients, seconds }: Load): Promise<LoadFigures> => {
  const requests = bodies.map((body) =>
    Buffer.from(
      `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    ),
  )
  const sockets = await Promise.all(
    Array.from(
      { length: clients },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket))
          socket.once("error", reject)
        }),
    ),
  )
  const began = performance.now()
  const ends = began + 1000 * seconds
  let [done, refused, next] = [0, 0, 0]
  await Promise.all(
    sockets.map(async (socket) => {
      while (performance.now() < ends) {
        const status = await exchange(socket, requests[next++ % requests.length]!)
        done++
        if (status !== 200) refused++
      }
      socket.destroy()
    }),
  )
  return { requests: done, seconds: (performance.now() - began) / 1000, refused }
}

for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await measured(JSON.parse(line))))
