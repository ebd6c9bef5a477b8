import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import { Effect, Fiber, Redacted, Stream } from "effect"
import {
  type GenerateOptions,
  type GenerationPart,
  Generator,
  type GeneratorShape,
  layerOpenAi,
  type ModelInput,
  type OpenAiOptions,
} from "../../src/index.ts"
import { type Endpoint, endpoint, events, type Handler, json, said } from "./Endpoint.ts"

const servers: Endpoint[] = []
after(() => Promise.all(servers.map((server) => server.close())))

const served = async (...handlers: readonly Handler[]): Promise<Endpoint> => {
  const server = await endpoint(...handlers)
  servers.push(server)
  return server
}

const key = "sk-very-secret"

const using = <A, E>(
  server: Endpoint,
  use: (generator: GeneratorShape) => Effect.Effect<A, E>,
  options: Partial<OpenAiOptions> = {},
): Promise<A> =>
  Effect.gen(function* () {
    return yield* use(yield* Generator)
  }).pipe(
    Effect.provide(
      layerOpenAi({
        baseUrl: server.baseUrl,
        model: "m",
        apiKey: Redacted.make(key),
        retryDelay: "1 millis",
        ...options,
      }),
    ),
    Effect.runPromise,
  )

/** Waits until something has happened elsewhere. */
const until = async (happened: () => boolean): Promise<void> => {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 5))
}

const chat = [{ role: "user", content: "how long?" }]

const generate = (
  server: Endpoint,
  inputs: readonly ModelInput[],
  given?: GenerateOptions,
  options?: Partial<OpenAiOptions>,
) => using(server, (generator) => generator.generate(inputs, given), options)

const streamed = (server: Endpoint, input: ModelInput, given?: GenerateOptions, options?: Partial<OpenAiOptions>) => {
  const parts: GenerationPart[] = []
  return using(
    server,
    (generator) =>
      Stream.runForEach(generator.stream(input, given), (part) => Effect.sync(() => parts.push(part))).pipe(
        Effect.match({
          onFailure: (error) => ({ parts, error }),
          onSuccess: () => ({ parts, error: undefined }),
        }),
      ),
    options,
  )
}

const logprobs = {
  content: [
    { token: "a", logprob: -0.5, bytes: null },
    { token: "b", logprob: -0.25 },
  ],
}

describe("generate", () => {
  it("sends conversations to one place and texts to the other, and reads what comes back", async () => {
    const server = await served(
      json({ id: "x", choices: [said("a mile", { logprobs })], usage: { total_tokens: 3 } }),
      json({
        choices: [
          { index: 0, text: " a mile", finish_reason: "length", logprobs: { token_logprobs: [-1], tokens: ["a"] } },
        ],
      }),
    )
    const one = await generate(server, [chat], { maxTokens: 5, stop: ["\n"] })
    assert.deepEqual(one, [[{ text: "a mile", ids: [], logprobs: [-0.5, -0.25], score: -0.75, finish: "end" }]])
    const two = await generate(server, ["How long? "])
    assert.deepEqual(two, [[{ text: " a mile", ids: [], logprobs: [-1], score: -1, finish: "length" }]])
    const [first, second] = server.received
    assert.equal(first?.path, "/v1/chat/completions")
    assert.equal(first?.headers["authorization"], `Bearer ${key}`)
    assert.deepEqual(first?.body, {
      model: "m",
      messages: chat,
      logprobs: true,
      max_tokens: 5,
      temperature: 0,
      stop: ["\n"],
    })
    assert.equal(second?.path, "/v1/completions")
    assert.deepEqual(second?.body, { model: "m", prompt: "How long? ", logprobs: 1, max_tokens: 64, temperature: 0 })
  })

  it("takes a server without log-probabilities as it is, and tells a stop text from an end where it can", async () => {
    const server = await served(json({ choices: [said("", { stop_reason: "\n", logprobs: null })] }))
    const [[one] = []] = await generate(
      server,
      [chat],
      {},
      { logprobs: false, parameters: { user: "u", max_tokens: 9 } },
    )
    assert.deepEqual({ ...one, score: 0 }, { text: "", ids: [], logprobs: [], score: 0, finish: "stop" })
    assert.ok(Number.isNaN(one?.score))
    assert.deepEqual(server.received[0]?.body, { model: "m", messages: chat, max_tokens: 9, temperature: 0, user: "u" })
  })

  it("asks for JSON where it is told to, and says what the server charges and what the model thought", async () => {
    const usage = { prompt_tokens: 11, completion_tokens: 5, total_tokens: 16 }
    const thinking = said("{}", { message: { role: "assistant", content: "{}", reasoning_content: "hm" } })
    const server = await served(json({ choices: [thinking], usage }), json({ choices: [said("{}")], usage: null }))
    const schema = { type: "object", properties: { fit: { type: "boolean" } } }
    const [[one] = []] = await generate(server, [chat], { format: { kind: "schema", name: "verdict", schema } })
    assert.deepEqual(one?.usage, { inputTokens: 11, outputTokens: 5 })
    assert.equal(one?.thoughts, "hm")
    const [[two] = []] = await generate(server, [chat], { format: { kind: "object" } })
    assert.deepEqual([two?.usage, two?.thoughts], [undefined, undefined])
    assert.deepEqual(
      server.received.map(({ body }) => body["response_format"]),
      [{ type: "json_schema", json_schema: { name: "verdict", strict: true, schema } }, { type: "json_object" }],
    )
    await assert.rejects(generate(server, ["a text"], { format: { kind: "object" } }), { field: "format" })
  })

  it("draws several, best first, and says what a server calls its settings", async () => {
    const row = (index: number, text: string, logprob: number) =>
      said(text, { index, logprobs: { content: [{ token: text, logprob }] } })
    const server = await served(json({ choices: [row(0, "worse", -3), row(1, "better", -1)] }))
    const decoding = { kind: "sample", temperature: 0.5, topK: 7, topP: 0.9, seed: 3, sequences: 2 } as const
    const [all = []] = await generate(server, [chat], { decoding, repetitionPenalty: 1.2 }, { server: "vllm" })
    assert.deepEqual(
      all.map(({ text }) => text),
      ["better", "worse"],
    )
    const body = {
      model: "m",
      messages: chat,
      logprobs: true,
      max_tokens: 64,
      temperature: 0.5,
      top_p: 0.9,
      seed: 3,
      n: 2,
    }
    assert.deepEqual(server.received[0]?.body, { ...body, top_k: 7, min_p: 0, repetition_penalty: 1.2 })
    await generate(server, [chat], { decoding, repetitionPenalty: 1.2 }, { server: "llama.cpp" })
    assert.deepEqual(server.received[1]?.body, { ...body, top_k: 7, min_p: 0, repeat_penalty: 1.2, repeat_last_n: -1 })
    await assert.rejects(generate(server, [chat]), { _tag: "RemoteFailed", expected: "1", found: "2" })
  })

  it("refuses what the interface cannot say, before anything is sent", async () => {
    const server = await served(json({}))
    const sample = (more: object): GenerateOptions => ({ decoding: { kind: "sample", ...more } })
    const refused: Readonly<Record<string, GenerateOptions>> = {
      decoding: { decoding: { kind: "beam", beams: 2 } },
      topK: sample({ topK: 3 }),
      topP: sample({ topP: 0 }),
      temperature: sample({ temperature: 0 }),
      sequences: sample({ sequences: 0 }),
      repetitionPenalty: { repetitionPenalty: 2 },
      maxTokens: { maxTokens: 0 },
    }
    for (const [field, given] of Object.entries(refused)) {
      await assert.rejects(generate(server, [chat], given), { _tag: "InvalidGeneration", field })
    }
    await assert.rejects(generate(server, [{ ids: [1] }]), { _tag: "InvalidPrompt" })
    for (const baseUrl of ["localhost", "ftp://a/v1", "https://user:pass@a/v1", "http://a/v1?key=b"]) {
      await assert.rejects(generate(server, [chat], {}, { baseUrl }), { _tag: "InvalidGeneration", field: "baseUrl" })
    }
    await assert.rejects(generate(server, [chat], {}, { concurrency: 0 }), { field: "concurrency" })
    assert.equal(server.received.length, 0)
  })

  it("sends again after 429 and 5xx and after a broken connection, not before Retry-After", async () => {
    let waited = false
    let early = true
    const server = await served(
      (response, request) => {
        setTimeout(() => {
          waited = true
        }, 200)
        json({ error: { message: "slow down" } }, 429, { "retry-after": "0.4" })(response, request)
      },
      (response, request) => {
        early = !waited
        json("<html>", 503)(response, request)
      },
      (response) => response.destroy(),
      (response) => {
        response.writeHead(200, { "content-length": "500" })
        response.write('{"choices":')
        setTimeout(() => response.destroy(), 10)
      },
      json({ choices: [said("a mile")] }),
    )
    const [[one] = []] = await generate(server, [chat])
    assert.equal(one?.text, "a mile")
    assert.equal(server.received.length, 5)
    assert.equal(early, false)
  })

  it("gives up where sending again does not help, with address, status and the server's words, without the key", async () => {
    const server = await served(json({ error: { message: `wrong key ${key}` } }, 401))
    const url = `${server.baseUrl}/chat/completions`
    await assert.rejects(generate(server, [chat]), {
      _tag: "RemoteFailed",
      message: `status 401 from ${url}`,
      url,
      status: 401,
      found: "wrong key <redacted>",
    })
    assert.equal(server.received.length, 1)
    const tired = await served(json({ message: "no" }, 500))
    await assert.rejects(generate(tired, [chat], {}, { retries: 2 }), { status: 500, found: "no" })
    assert.equal(tired.received.length, 3)
    const patient = await served(json("", 429, { "retry-after": "3600" }))
    await assert.rejects(generate(patient, [chat]), { status: 429, hint: "the server asks to wait for 3600 s" })
    assert.equal(patient.received.length, 1)
    const nobody = await served(json({}))
    await nobody.close()
    await assert.rejects(generate(nobody, [chat], {}, { retries: 1 }), {
      _tag: "RemoteFailed",
      found: /ECONNREFUSED|connect/i,
    })
  })

  const answers: Readonly<Record<string, readonly [unknown, RegExp]>> = {
    "no JSON": ["<html>hello</html>", /^no JSON/],
    "half of it": ['{"choices":[{"message":', /^no JSON/],
    "another object": [{ answer: "a mile" }, /^something else than the interface says/],
    "a choice of another form": [{ choices: [{ message: { content: 5 }, finish_reason: "stop" }] }, /^something else/],
    "an error after all": [{ error: { message: `at ${key}` } }, /^an error/],
    "no choice": [{ choices: [] }, /^another number of answers/],
    "no end": [{ choices: [said("a mile", { finish_reason: null })] }, /^an answer without its end/],
    "an end of another kind": [{ choices: [said("a mile", { finish_reason: "content_filter" })] }, /^no whole answer/],
    "a refusal": [
      { choices: [{ message: { content: null, refusal: "no" }, finish_reason: "stop" }] },
      /^no whole answer/,
    ],
  }
  for (const [name, [body, message]] of Object.entries(answers)) {
    it(`ends in RemoteFailed where the server gives ${name}`, async () => {
      const server = await served(json(body))
      await assert.rejects(generate(server, [chat]), (error: Error & { _tag?: string; url?: string }) => {
        assert.equal(error._tag, "RemoteFailed")
        assert.match(error.message, message)
        assert.equal(error.url, `${server.baseUrl}/chat/completions`)
        assert.ok(!JSON.stringify(error).includes(key))
        return true
      })
      assert.equal(server.received.length, 1)
    })
  }

  it("waits no longer than it may, reads no more than it may, and hangs up where it is interrupted", async () => {
    const silent = await served(() => undefined)
    const short = { timeout: "50 millis", retries: 1 } as const
    await assert.rejects(generate(silent, [chat], {}, short), {
      _tag: "RemoteFailed",
      message: /^no word for 50ms from/,
    })
    assert.equal(silent.received.length, 2)
    const halting = await served((response) => {
      response.writeHead(200)
      response.write("{")
    })
    await assert.rejects(generate(halting, [chat], {}, short), { message: /^no word for 50ms from/ })
    const long = await served(json({ choices: [said("a".repeat(5000))] }))
    await assert.rejects(generate(long, [chat], {}, { maxBytes: 4000 }), { message: /^more than 4000 bytes from/ })
    const left = await served(() => undefined)
    await using(left, (generator) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(generator.generate([chat]))
        yield* Effect.promise(() => until(() => left.received.length === 1))
        yield* Fiber.interrupt(fiber)
      }),
    )
    await until(() => left.dropped() === 1)
  })

  it("has no more requests under way than it may, and gives answers in the order of the inputs", async () => {
    const waiting: (() => void)[] = []
    const server = await served((response, request) => {
      waiting.push(() =>
        json({ choices: [{ text: `${request.body["prompt"]}!`, finish_reason: "stop" }] })(response, request),
      )
      if (waiting.length === 3) for (const answer of waiting.splice(0)) answer()
    })
    const inputs = Array.from({ length: 9 }, (_, index) => `${index}`)
    const all = await generate(server, inputs, {}, { concurrency: 3 })
    assert.deepEqual(
      all.map(([one]) => one?.text),
      inputs.map((input) => `${input}!`),
    )
    assert.equal(server.most(), 3)
  })
})

describe("stream", () => {
  const part = (content: string, more: object = {}) => ({
    choices: [{ index: 0, delta: { content }, finish_reason: null, ...more }],
  })
  const last = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }

  it("gives the parts of an answer as they come, and how it ended", async () => {
    const server = await served(
      events([
        part("", { delta: { role: "assistant" } }),
        part("a ", { logprobs }),
        part("mile — 京"),
        last,
        { choices: [] },
      ]),
    )
    const { parts, error } = await streamed(server, chat)
    assert.equal(error, undefined)
    assert.deepEqual(parts, [
      { text: "", ids: [], logprobs: [] },
      { text: "a ", ids: [], logprobs: [-0.5, -0.25] },
      { text: "mile — 京", ids: [], logprobs: [] },
      { text: "", ids: [], logprobs: [], finish: "end" },
    ])
    assert.equal(server.received[0]?.body["stream"], true)
    const texts = await served(
      events([{ choices: [{ text: "a" }] }, { choices: [{ text: "b", finish_reason: "length" }] }], "end"),
    )
    const written = await streamed(texts, "How long?")
    assert.deepEqual(
      written.parts.map(({ text, finish }) => [text, finish]),
      [
        ["a", undefined],
        ["b", "length"],
      ],
    )
    assert.equal(written.error, undefined)
  })

  it("reads events that arrive in pieces", async () => {
    const bytes = Buffer.from(
      `data: ${JSON.stringify(part("京 a"))}\r\n\r\ndata:${JSON.stringify(last)}\r\n\r\ndata: [DONE]\r\n\r\n`,
    )
    const server = await served((response) => {
      response.writeHead(200)
      const send = (at: number): void => {
        if (at >= bytes.length) return void response.end()
        response.write(bytes.subarray(at, at + 7))
        setImmediate(() => send(at + 7))
      }
      send(0)
    })
    const { parts, error } = await streamed(server, chat)
    assert.equal(error, undefined)
    assert.equal(parts.map(({ text }) => text).join(""), "京 a")
  })

  for (const ending of ["done", "end", "cut"] as const) {
    it(`ends in RemoteFailed where the answer has no end: ${ending}`, async () => {
      const server = await served(events([part("a "), part("mi")], ending))
      const { parts, error } = await streamed(server, chat)
      assert.equal(parts.map(({ text }) => text).join(""), "a mi")
      assert.equal(error?._tag, "RemoteFailed")
      assert.equal(server.received.length, 1)
    })
  }

  it("tries again until an answer begins, and not when one has begun", async () => {
    const server = await served(json("", 503), events([part("a"), last]))
    assert.equal((await streamed(server, chat)).error, undefined)
    assert.equal(server.received.length, 2)
    const broken = await served(events([part("a"), { error: { message: `out of ${key}` } }]))
    const { parts, error } = await streamed(broken, chat)
    assert.equal(parts.length, 1)
    assert.deepEqual(error?._tag === "RemoteFailed" && error.found, "out of <redacted>")
    assert.equal(broken.received.length, 1)
    const halting = await served((response) => {
      response.writeHead(200)
      response.write(`data: ${JSON.stringify(part("a"))}\n\n`)
    })
    const halted = await streamed(halting, chat, {}, { timeout: "50 millis" })
    assert.match(halted.error?.message ?? "", /^no word for 50ms from/)
    const odd = await streamed(await served((response) => response.end("data: {\n\n")), chat)
    assert.match(odd.error?.message ?? "", /^an event without JSON/)
  })

  it("hangs up where nobody reads on, and gives its turn to the next", async () => {
    const server = await served((response) => {
      response.writeHead(200)
      response.write(`data: ${JSON.stringify(part("a"))}\n\n`)
    })
    const first = (generator: GeneratorShape) => Stream.runCollect(Stream.take(generator.stream(chat), 1))
    const [one, two] = await using(server, (generator) => Effect.all([first(generator), first(generator)]), {
      concurrency: 1,
    })
    assert.deepEqual([one?.length, two?.length], [1, 1])
    await until(() => server.dropped() === 2)
  })

  it("writes one answer", async () => {
    const server = await served(events([last]))
    const { error } = await streamed(server, chat, { decoding: { kind: "sample", sequences: 2 } })
    assert.equal(error?._tag, "InvalidGeneration")
    const { error: beam } = await streamed(server, chat, { decoding: { kind: "beam", beams: 2 } })
    assert.equal(beam?._tag, "InvalidGeneration")
  })
})
