// What a handler answers, without a server: it is a function from requests to responses.
import assert from "node:assert/strict"
import { test } from "node:test"
import { type HandlerOptions, lazyHandler, makeHandler, type RequestLine, type Served } from "@tandem/edge"
import { type EchoOptions, echoSystem, echoVector } from "./support/EchoSystem.ts"

const origin = "http://edge.test"

const open = (options: HandlerOptions = {}, echo: EchoOptions = {}) => {
  const system = echoSystem(echo)
  const handler = makeHandler(system, options)
  const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    handler.fetch(new Request(origin + path, { headers }))
  const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}, signal?: AbortSignal) =>
    handler.fetch(
      new Request(origin + path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      }),
    )
  return { ...handler, system, get, post }
}

/** What an error says, after its shape has been looked at. */
const errorOf = async (response: Response, status: number) => {
  const { error } = await response.json()
  assert.equal(response.status, status, JSON.stringify(error))
  assert.deepEqual(Object.keys(error), ["message", "type", "param", "code"])
  assert.doesNotMatch(JSON.stringify(error), /secret|\bat .*\.ts/)
  return error
}

const messages = (content: string) => [{ role: "user", content }]

test("questions are answered with their sources, passages found, and both bounded by what a request may ask", async () => {
  const { post } = open({ limits: { passages: 5 } })
  const answer = await (await post("/ask", { query: "who owns the mill", k: 3, max_tokens: 2 })).json()
  assert.equal(answer.query, "who owns the mill")
  assert.equal(answer.answer, "who owns")
  assert.equal(answer.finish, "length")
  assert.equal(answer.sources.length, 3)
  assert.deepEqual(answer.usage, { prompt_tokens: 10, completion_tokens: 2 })
  const one = await (await post("/retrieve", { query: "mill" })).json()
  assert.deepEqual(Object.keys(one.results[0]), ["id", "title", "text", "score", "weight"])
  const two = await (await post("/retrieve", { queries: ["mill", "barn"], k: 1 })).json()
  const texts = two.results.flat().map(({ text }: { readonly text: string }) => text)
  assert.deepEqual(texts, ["passage 0 of mill", "passage 0 of barn"])
  assert.equal((await errorOf(await post("/ask", { query: "x", k: 6 }), 400)).param, "k")
  const usual = open()
  assert.equal((await usual.post("/retrieve", { query: "x", k: 100 })).status, 200)
  assert.equal((await errorOf(await usual.post("/retrieve", { query: "x", k: 101 }), 400)).param, "k")
  const many = Array.from({ length: 41 }, (_, index) => `q${index}`)
  assert.equal((await usual.post("/retrieve", { queries: many, k: 99 })).status, 200)
  const { param, message } = await errorOf(await usual.post("/retrieve", { queries: many, k: 100 }), 400)
  assert.deepEqual([param, /at most 4096 passages/.test(message)], ["queries", true])
  assert.equal((await usual.post("/ask", { query: "x", k: 20 })).status, 200)
  assert.equal((await errorOf(await usual.post("/ask", { query: "x", k: 21 }), 400)).param, "k")
  assert.equal((await errorOf(await post("/retrieve", {}), 400)).param, "query")
  assert.equal((await errorOf(await post("/retrieve", { query: "a", queries: ["b"] }), 400)).param, "query")
})

test("an answer is told while it is written: sources, tokens, and the whole at the end", async () => {
  const { post } = open()
  const response = await post("/ask", { query: "the mill\nis old", stream: true })
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8")
  const events = (await response.text()).trim().split("\n\n")
  const names = events.map((event) => /^event: (.*)\ndata: \{.*\}$/.exec(event)?.[1])
  assert.deepEqual(names, ["sources", "token", "token", "token", "done"])
})

test("a conversation's last turn is answered as OpenAI has it, and turns that were not read are told", async () => {
  const { post } = open({ name: "mill" })
  const asked = [
    { role: "system", content: "be brief" },
    { role: "user", content: [{ type: "text", text: "hello you" }] },
  ]
  const answer = await (await post("/v1/chat/completions", { model: "mill", messages: asked, logprobs: true })).json()
  assert.equal(answer.object, "chat.completion")
  assert.equal(answer.choices[0].message.content, "hello you")
  assert.equal(answer.choices[0].finish_reason, "stop")
  assert.equal(answer.choices[0].logprobs.content.length, 2)
  assert.deepEqual(answer.usage, { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 })
  assert.deepEqual(answer.tandem.unread, ["messages.0"])
  assert.equal(answer.tandem.sources.length, 2)
  const body = {
    model: "mill",
    messages: messages(" hello you "),
    stream: true,
    stream_options: { include_usage: true },
  }
  const events = (await (await post("/v1/chat/completions", body)).text()).trim().split("\n\n")
  assert.equal(events.at(-1), "data: [DONE]")
  const chunks = events.slice(0, -1).map((event) => JSON.parse(event.slice("data: ".length)))
  assert.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""), "hello you")
  assert.equal(chunks.at(-2).choices[0].finish_reason, "stop")
  assert.equal(chunks.at(-1).usage.prompt_tokens, 10)
})

test("what would change an answer and is not done is refused by name", async () => {
  const { post } = open()
  const chat = { model: "tandem", messages: messages("a") }
  const refused: readonly (readonly [object, string])[] = [
    [{ temperature: 0.7 }, "temperature"],
    [{ n: 2 }, "n"],
    [{ tools: [{ type: "function" }] }, "tools.0"],
    [{ stop: ["."] }, "stop.0"],
    [{ stop: "." }, "stop"],
    [{ tool_choice: "auto" }, "tool_choice"],
    [{ messages: [] }, "messages.0"],
    [{ messages: [{ role: "assistant", content: "a" }] }, "messages.0"],
    [{ messages: [{ role: "user", content: [{ type: "image_url" }] }] }, "messages.0.content.0.type"],
    [{ model: "gpt" }, "model"],
  ]
  const neutral = { temperature: 0, n: 1, tools: [], stop: null, seed: 7, user: "u" }
  assert.equal((await post("/v1/chat/completions", { ...chat, ...neutral })).status, 200)
  for (const [more, param] of refused) {
    const response = await post("/v1/chat/completions", { ...chat, ...more })
    assert.equal((await errorOf(response, param === "model" ? 404 : 400)).param, param)
  }
  for (const more of [{ temperature: 0 }, { temperature: null, user: "u" }, { seed: 4 }])
    assert.equal((await post("/v1/chat/completions", { ...chat, ...more })).status, 200)
})

test("embeddings come as numbers or in base64, of the model that reads texts as their name says", async () => {
  const { post, get } = open()
  const body = { model: "tandem-passage", input: ["a b", "c"] }
  const plain = await (await post("/v1/embeddings", body)).json()
  assert.deepEqual(plain.data[1].embedding, [...echoVector("c")])
  assert.deepEqual(plain.usage, { prompt_tokens: 3, total_tokens: 3 })
  const packed = await (await post("/v1/embeddings", { ...body, encoding_format: "base64" })).json()
  const bytes = Buffer.from(packed.data[0].embedding, "base64")
  assert.deepEqual(
    Array.from({ length: 8 }, (_, at) => bytes.readFloatLE(4 * at)),
    [...echoVector("a b")],
  )
  const wrong: readonly (readonly [object, string])[] = [
    [{ input: [[1, 2]] }, "input.0"],
    [{ input: [] }, "input.0"],
    [{ input: "" }, "input"],
    [{ dimensions: 3 }, "dimensions"],
    [{ input_type: "query" }, "input_type"],
  ]
  for (const [more, param] of wrong)
    assert.equal((await errorOf(await post("/v1/embeddings", { ...body, ...more }), 400)).param, param)
  const models = await (await get("/v1/models")).json()
  assert.deepEqual(
    models.data.map(({ id }: { readonly id: string }) => id),
    ["tandem", "tandem-query", "tandem-passage"],
  )
  assert.equal((await (await get("/v1/models/tandem-query")).json()).object, "model")
  await errorOf(await get("/v1/models/other"), 404)
})

test("a system that only finds passages writes no answers", async () => {
  const { generator: _, ...facts } = echoSystem().facts
  const served: Served = { ...echoSystem(), facts }
  const handler = makeHandler(served)
  const request = new Request(`${origin}/ask`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "x" }),
  })
  await errorOf(await handler.fetch(request), 400)
})

test("addresses, methods, kinds of bodies and JSON that are not there are refused", async () => {
  const { get, post, fetch } = open({ limits: { items: 2, characters: 10, tokens: 3 } })
  await errorOf(await get("/nothing"), 404)
  const wrong = await get("/ask")
  assert.equal(wrong.headers.get("allow"), "POST")
  await errorOf(wrong, 405)
  await errorOf(await post("/healthz", {}), 405)
  await errorOf(await post("/ask", "{", {}), 400)
  await errorOf(await post("/ask", "", {}), 400)
  await errorOf(await post("/ask", "[".repeat(100_000)), 400)
  await errorOf(await post("/ask", { query: "x" }, { "content-type": "text/plain" }), 415)
  await errorOf(await post("/ask", { query: "x" }, { "content-encoding": "gzip" }), 415)
  const bytes = new Request(`${origin}/ask`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: new Uint8Array([0x7b, 0xff, 0x7d]),
  })
  assert.match((await errorOf(await fetch(bytes), 400)).message, /UTF-8/)
  const embed = (input: unknown) => post("/v1/embeddings", { model: "tandem", input })
  assert.equal((await errorOf(await embed(["a", "b", "c"]), 400)).code, "array_above_max_length")
  assert.equal((await errorOf(await embed("12345678901"), 400)).code, "string_above_max_length")
  assert.equal((await errorOf(await embed(["a b", "c d"]), 400)).code, "context_length_exceeded")
})

test("a body that is too long is left where it is known to be, announced or in pieces", async () => {
  const { post, fetch } = open({ limits: { bodyBytes: 1000 } })
  assert.equal((await errorOf(await post("/ask", { query: "x".repeat(1000) }), 413)).code, "request_too_large")
  let drawn = 0
  const endless = new ReadableStream({
    pull(controller) {
      drawn++
      controller.enqueue(new Uint8Array(100).fill(32))
    },
  })
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: endless, duplex: "half" }
  await errorOf(await fetch(new Request(`${origin}/ask`, init)), 413)
  assert.ok(drawn < 30, `${drawn}`)
})

test("a body that does not come, and an answer that does not, end at their time", async () => {
  const { fetch, post } = open({ limits: { bodySeconds: 0.05, seconds: 0.1 } }, { pause: 5000 })
  const silent = new ReadableStream({ pull: () => new Promise(() => {}) })
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: silent, duplex: "half" }
  await errorOf(await fetch(new Request(`${origin}/ask`, init)), 408)
  assert.equal((await errorOf(await post("/ask", { query: "x" }), 503)).code, "timeout")
  const streamed = await (await post("/ask", { query: "x", stream: true })).text()
  assert.match(streamed, /event: error\ndata: \{"error":\{"message":"the answer was not there/)
})

test("requests beyond those that may run wait, and those beyond the places are sent away with a time", async () => {
  const { post } = open({ limits: { requests: 3, running: 1 } }, { pause: 50 })
  const all = await Promise.all(Array.from({ length: 8 }, (_, index) => post("/ask", { query: `q${index}` })))
  const statuses = all.map(({ status }) => status)
  assert.equal(statuses.filter((status) => status === 200).length, 3)
  for (const response of all.filter(({ status }) => status === 429)) {
    assert.ok(Number(response.headers.get("retry-after")) >= 1)
    assert.equal((await errorOf(response, 429)).type, "rate_limit_error")
  }
  assert.equal((await post("/ask", { query: "again" })).status, 200)
})

test("a key is asked for where there is one, health and the page aside", async () => {
  const { get, post } = open({ apiKey: "sesame" })
  const body = { query: "x" }
  await errorOf(await post("/ask", body), 401)
  for (const given of ["Bearer wrong", "Bearer sesam", "Bearer sesame2", "Basic sesame", "Bearer ", "sesame"]) {
    const refused = await post("/ask", body, { authorization: given })
    assert.equal(refused.headers.get("www-authenticate"), "Bearer")
    await errorOf(refused, 401)
  }
  assert.equal((await post("/ask", body, { authorization: "Bearer sesame" })).status, 200)
  for (const path of ["/metrics", "/v1/models"]) await errorOf(await get(path), 401)
  for (const path of ["/healthz", "/", "/page.js", "/page.css"]) assert.equal((await get(path)).status, 200)
})

test("pages of other origins may ask where they are named, and nowhere else", async () => {
  const preflight = (handler: ReturnType<typeof open>, from: string) =>
    handler.fetch(
      new Request(`${origin}/ask`, {
        method: "OPTIONS",
        headers: { origin: from, "access-control-request-method": "POST" },
      }),
    )
  const closed = await preflight(open(), "https://a.example")
  assert.equal(closed.headers.get("access-control-allow-origin"), null)
  const some = open({ origins: ["https://a.example"], apiKey: "k" })
  assert.equal(
    (await preflight(some, "https://a.example")).headers.get("access-control-allow-origin"),
    "https://a.example",
  )
  assert.equal((await preflight(some, "https://b.example")).headers.get("access-control-allow-origin"), null)
})

test("a fault of the server is told as one, and nothing of what it says", async () => {
  const lines: RequestLine[] = []
  const { post } = open({ observe: (line) => lines.push(line) })
  assert.equal(
    (await errorOf(await post("/ask", { query: "fail" }, { "x-request-id": "r1" }), 500)).type,
    "server_error",
  )
  const streamed = await (await post("/ask", { query: "fail", stream: true })).text()
  assert.match(streamed, /event: error/)
  assert.doesNotMatch(streamed, /secret/)
  assert.deepEqual(
    lines.map(({ id, route, status, fault }) => [id === "r1", route, status, fault]),
    [
      [true, "/ask", 500, "Error"],
      [false, "/ask", 200, "Error"],
    ],
  )
})

test("who leaves ends the writing", async () => {
  const { post, system } = open({}, { pause: 5, tail: 1000 })
  const response = await post("/ask", { query: "long", stream: true })
  const reader = response.body!.getReader()
  await reader.read()
  await reader.read()
  await reader.cancel()
  assert.equal(system.streams.ended, 1)
  assert.ok(system.streams.written < 10)
  const controller = new AbortController()
  const other = await post(
    "/v1/chat/completions",
    { model: "tandem", messages: messages("long"), stream: true },
    {},
    controller.signal,
  )
  controller.abort()
  await other.text()
  assert.equal(system.streams.ended, 2)
})

test("closing lets end what runs, refuses what comes, and ends what takes too long", async () => {
  const { post, close, get } = open({}, { pause: 30 })
  const running = post("/ask", { query: "q" })
  await new Promise((resolve) => setTimeout(resolve, 10))
  const closed = close()
  const refused = await post("/ask", { query: "late" })
  assert.equal((await errorOf(refused, 503)).code, "server_stopping")
  assert.equal((await running).status, 200)
  await closed
  assert.equal((await get("/healthz")).status, 200)
  const slow = open({}, { pause: 60_000 })
  const stuck = slow.post("/ask", { query: "q" })
  await new Promise((resolve) => setTimeout(resolve, 10))
  await slow.close(0.02)
  assert.equal((await stuck).status, 503)
})

test("metrics are Prometheus' text, with routes and never addresses", async () => {
  const { get, post } = open()
  await post("/ask", { query: "x" })
  await post("/ask", { query: "x", stream: true }).then((response) => response.text())
  await get("/some/../../path%00")
  const text = await (await get("/metrics")).text()
  assert.match(text, /^tandem_requests_total\{route="\/ask",status="200"\} 2$/m)
  assert.match(text, /^tandem_requests_total\{route="unknown",status="404"\} 1$/m)
  assert.match(text, /^tandem_request_seconds_bucket\{route="\/ask",le="\+Inf"\} 2$/m)
  assert.match(text, /^tandem_first_token_seconds_count 1$/m)
  assert.match(text, /^tandem_tokens_total\{kind="written"\} 2$/m)
  assert.doesNotMatch(text, /path/)
})

test("a server of this machine is asked under its own names, not under one that was made to lead here", async () => {
  const { fetch, get } = open({ hosts: ["localhost", "127.0.0.1", "::1"] })
  for (const own of ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"])
    assert.equal((await fetch(new Request(`${own}/v1/models`))).status, 200, own)
  assert.equal((await errorOf(await get("/v1/models"), 403)).code, "unknown_host")
  for (const path of ["/", "/healthz", "/metrics"]) assert.equal((await get(path)).status, 403, path)
})

test("a system that cannot be opened is a 503 whose line names the kind of fault, and the next request tries again", async () => {
  const lines: RequestLine[] = []
  let tries = 0
  const open = async (): Promise<Served> => {
    tries++
    if (tries === 1) throw Object.assign(new Error("/secret/path is no run folder"), { _tag: "InvalidRun" })
    return echoSystem()
  }
  const fetch = lazyHandler(open, { observe: (line) => lines.push(line) })
  const asked = () => fetch(new Request(`${origin}/v1/models`))
  const [first, beside] = await Promise.all([asked(), asked()])
  assert.equal((await errorOf(first, 503)).code, "server_error")
  assert.equal(beside.status, 503)
  assert.equal((await asked()).status, 200)
  assert.equal(tries, 2)
  assert.deepEqual(
    lines.map(({ status, fault }) => [status, fault]),
    [
      [503, "InvalidRun"],
      [503, "InvalidRun"],
      [200, undefined],
    ],
  )
  assert.doesNotMatch(JSON.stringify(lines), /secret/)
})

test("a system that is never open keeps nobody for longer than a request may take, and is tried again", async () => {
  let tries = 0
  const open = (): Promise<Served> => {
    tries++
    return tries === 1 ? new Promise(() => {}) : Promise.resolve(echoSystem())
  }
  const lines: RequestLine[] = []
  const fetch = lazyHandler(open, { limits: { seconds: 0.05 }, observe: (line) => lines.push(line) })
  const asked = () => fetch(new Request(`${origin}/v1/models`))
  assert.equal((await errorOf(await asked(), 503)).code, "timeout")
  assert.equal((await asked()).status, 200)
  assert.deepEqual([tries, ...lines.map(({ status }) => status)], [2, 503, 200])
})
