// A handler behind a port: what clients do to it that a function does not see.
import assert from "node:assert/strict"
import { request } from "node:http"
import { connect } from "node:net"
import { test } from "node:test"
import { echoSystem } from "../support/EchoSystem.ts"
import { sendBytes, serve, statusOf } from "../support/Server.ts"

const post = (url: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
  fetch(`${url}/ask`, {
    ...init,
    method: "POST",
    headers: { "content-type": "application/json", ...init.headers },
    body: JSON.stringify(body),
  })

const head = (more: readonly string[]): string =>
  ["POST /ask HTTP/1.1", "host: localhost", "content-type: application/json", ...more, "", ""].join("\r\n")

test("bodies that are too long, slow or endless are refused, and the server answers on", async () => {
  await using server = await serve(echoSystem(), { limits: { bodyBytes: 1000, bodySeconds: 0.2 } })
  const chunk = `64\r\n${" ".repeat(100)}\r\n`
  const answers = await Promise.all([
    sendBytes(server.port, [head(["content-length: 100000"]), " ".repeat(100_000)]),
    sendBytes(server.port, [head(["transfer-encoding: chunked"]), ...Array<string>(40).fill(chunk)]),
    sendBytes(server.port, [head(["content-length: 10"]), "{"]),
    sendBytes(server.port, [head(["transfer-encoding: chunked"]), "1\r\n{\r\n"]),
    sendBytes(server.port, [head(["transfer-encoding: chunked"]), "zz\r\n"]),
    sendBytes(server.port, ["no HTTP at all\r\n\r\n"]),
    sendBytes(server.port, ["GET http://[ HTTP/1.1\r\nhost: a b\r\n\r\n"]),
    sendBytes(server.port, [`GET / HTTP/1.1\r\nhost: a\r\nlong: ${"x".repeat(20_000)}\r\n\r\n`]),
    sendBytes(server.port, ["GET /healthz HTTP/1.1\r\n\r\n"]),
    sendBytes(server.port, [head(["expect: the-moon", "content-length: 0"])]),
    sendBytes(server.port, [head(["transfer-encoding: chunked"]), `1;${"x".repeat(20_000)}\r\n \r\n`]),
  ])
  assert.deepEqual(answers.map(statusOf), [413, 413, 408, 408, 400, 400, 400, 431, 400, 417, 413])
  for (const answer of answers) assert.match(answer, /\r\n\r\n\{"error":\{"message":.*"code":"[a-z_]+"\}\}$/)
  assert.equal((await post(server.url, { query: "still there" })).status, 200)
})

test("of 500 requests at once each is answered with its own answer or sent away", async () => {
  await using server = await serve(echoSystem({ pause: 20 }), { limits: { requests: 100, running: 16 } })
  const answers = await Promise.all(
    Array.from({ length: 500 }, async (_, index) => {
      const response = await post(server.url, { query: `marker ${index}` })
      return { index, status: response.status, body: await response.json() }
    }),
  )
  const good = answers.filter(({ status }) => status === 200)
  assert.ok(good.length >= 100, `${good.length}`)
  for (const { index, body } of good) assert.equal(body.answer, `marker ${index}`)
  for (const { status, body } of answers.filter(({ status }) => status !== 200)) {
    assert.equal(status, 429)
    assert.equal(body.error.code, "rate_limit_exceeded")
  }
  assert.equal((await post(server.url, { query: "after" })).status, 200)
})

test("a client that goes away in mid-stream ends the writing, and so does one that stops reading", async () => {
  const system = echoSystem({ pause: 2, tail: 100_000 })
  await using server = await serve(system, { limits: { seconds: 1 } })
  const body = JSON.stringify({ query: "long", stream: true })
  const socket = connect(server.port, "127.0.0.1")
  socket.write(`${head([`content-length: ${body.length}`])}${body}`)
  await new Promise((resolve) => socket.once("data", resolve))
  socket.destroy()
  const unread = request(`${server.url}/ask`, { method: "POST", headers: { "content-type": "application/json" } })
  unread.on("response", (response) => response.pause())
  unread.on("error", () => {})
  unread.end(body)
  await until(() => system.streams.begun === 2 && system.streams.ended === 2)
  assert.ok(system.streams.written < 1000, `${system.streams.written}`)
  unread.destroy()
})

test("a client that takes nothing of what it asked for gives its place back when its time is over", async () => {
  const system = echoSystem({ pause: 20, tail: 1000 })
  const server = await serve(system, { limits: { seconds: 0.5, running: 1, read: 100 } })
  const body = JSON.stringify({ query: "€".repeat(32_000), k: 100, stream: true })
  const socket = connect(server.port, "127.0.0.1").pause()
  socket.on("error", () => {})
  socket.write(`${head([`content-length: ${Buffer.byteLength(body)}`])}${body}`)
  await until(() => system.streams.begun === 1)
  await until(() => system.streams.ended === 1)
  assert.equal((await post(server.url, { query: "next" })).status, 200)
  // Stopping does not wait for it either.
  await server[Symbol.asyncDispose]()
  socket.destroy()
})

/** Waits until something is so; what never is lets the test run into its time. */
const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 10))
}

test("a port that is taken is an error that names it", async () => {
  await using server = await serve(echoSystem())
  const { listen } = await import("@tandem/edge/node/Listen")
  const { Effect } = await import("effect")
  const error = await Effect.runPromise(Effect.flip(listen(async () => new Response(), { port: server.port })))
  assert.equal(error._tag, "AddressUnavailable")
  assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${server.port} `))
})
