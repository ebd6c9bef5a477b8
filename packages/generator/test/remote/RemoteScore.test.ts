import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import { Effect } from "effect"
import { type OpenAiOptions, openAiGenerator, type ScoreRequest } from "../../src/index.ts"
import { type Endpoint, endpoint, type Handler, json } from "./Endpoint.ts"

const servers: Endpoint[] = []
after(() => Promise.all(servers.map((server) => server.close())))

const served = async (...handlers: readonly Handler[]): Promise<Endpoint> => {
  const server = await endpoint(...handlers)
  servers.push(server)
  return server
}

const score = (server: Endpoint, requests: readonly ScoreRequest[], options: Partial<OpenAiOptions> = {}) =>
  openAiGenerator({ baseUrl: server.baseUrl, model: "m", endOfText: "</s>", retries: 0, ...options }).pipe(
    Effect.flatMap((generator) => generator.score(requests)),
    Effect.runPromise,
  )

/** Words with the space before them, ends, and everything else by itself. */
const tokensOf = (text: string): readonly string[] => text.match(/<\/?s>| ?\p{L}+|[\s\S]/gu) ?? []

/** A token's likelihood depends on itself and on all before it. */
const logprobOf = (tokens: readonly string[], index: number): number =>
  -(tokens[index]?.length ?? 0) - tokens.slice(0, index).join("").length / 64

/** A model behind `/completions` that echoes, as a beginning of sequence and words. */
const echoing: Handler = (response, request) => {
  const { prompt, echo, max_tokens, logprobs } = request.body
  assert.deepEqual([request.path, echo, max_tokens, logprobs], ["/v1/completions", true, 0, 1])
  const tokens = ["<s>", ...tokensOf(String(prompt))]
  const token_logprobs = tokens.map((_, index) => (index === 0 ? null : logprobOf(tokens, index)))
  json({ choices: [{ text: prompt, finish_reason: "length", logprobs: { tokens, token_logprobs } }] })(
    response,
    request,
  )
}

const ids = new Map<string, number>()
const idOf = (token: string): number => {
  if (!ids.has(token)) ids.set(token, ids.size + 10)
  return ids.get(token) ?? -1
}
const textOf = (id: number): string => [...ids].find(([, one]) => one === id)?.[0] ?? ""

/** The same model as vLLM serves it. */
const vllm: Handler = (response, request) => {
  const { prompt, messages, add_special_tokens: special, prompt_logprobs: asked } = request.body
  if (request.path === "/tokenize") {
    const text = Array.isArray(messages) ? messages.map(({ content }) => `${content}:`).join("") : String(prompt)
    const tokens = [...(special === true ? ["<s>"] : []), ...tokensOf(text)]
    return json({ tokens: tokens.map(idOf), count: tokens.length, max_model_len: 99 })(response, request)
  }
  assert.deepEqual([request.path, asked, Array.isArray(prompt)], ["/v1/completions", 1, true])
  const tokens = Array.isArray(prompt) ? prompt.map(textOf) : []
  const prompt_logprobs = tokens.map((token, index) =>
    index === 0
      ? null
      : { [idOf(token)]: { logprob: logprobOf(tokens, index), rank: 2 }, 7: { logprob: -0.1, rank: 1 } },
  )
  json({ choices: [{ text: "x", finish_reason: "length", prompt_logprobs }] })(response, request)
}

const prompts = ["How long?\n", "The river — «1,250 km» 京.\nHow long?\n"]
const answer = "a long river"

/** What the model holds of an answer's tokens behind a prompt's. */
const expected = (prompt: string, end = "</s>", before: readonly string[] = ["<s>"]) => {
  const first = [...before, ...tokensOf(prompt)]
  const tokens = [...first, ...tokensOf(answer), ...tokensOf(end)]
  const perToken = tokens.map((_, index) => logprobOf(tokens, index)).slice(first.length)
  return { perToken, logprob: perToken.reduce((sum, one) => sum + one, 0) }
}

describe("score", () => {
  for (const [name, handler, options] of [
    ["by echo", echoing, {}],
    ["by vLLM's token ids", vllm, { server: "vllm" }],
  ] as const) {
    it(`${name}: the likelihood of an answer and its end under each prompt`, async () => {
      const server = await served(handler)
      const requests = [
        { prompts, answer },
        { prompts: prompts.slice(1), answer },
      ]
      const [one, two] = await score(server, requests, options)
      assert.deepEqual(
        one,
        prompts.map((prompt) => expected(prompt)),
      )
      assert.deepEqual(two, [one?.[1]])
      const [[open] = []] = await score(server, [{ prompts, answer }], { ...options, endOfText: "" })
      assert.deepEqual(open, expected(prompts[0] ?? "", ""))
    })
  }

  it("scores answers to conversations where vLLM lays them out", async () => {
    const chat = [{ role: "user", content: "How long?" }]
    const server = await served(vllm)
    const [[one] = []] = await score(server, [{ prompts: [chat], answer }], { server: "vllm" })
    assert.deepEqual(one, expected("How long?:", "</s>", []))
    assert.deepEqual(server.received[0]?.body, { model: "m", messages: chat, add_generation_prompt: true })
    await assert.rejects(score(await served(echoing), [{ prompts: [chat], answer }]), {
      _tag: "InvalidGeneration",
      field: "server",
    })
  })

  it("refuses a boundary that a token reaches across, and what has no token", async () => {
    const server = await served(echoing)
    const refused = { _tag: "InvalidPrompt" }
    await assert.rejects(score(server, [{ prompts: ["How long is the riv"], answer: "er" }]), refused)
    await assert.rejects(score(server, [{ prompts, answer: "" }]), refused)
    await assert.rejects(score(server, [{ prompts: [""], answer }]), refused)
    await assert.rejects(score(server, [{ prompts: [{ ids: [1] }], answer }]), refused)
    await assert.rejects(score(server, [{ prompts, answer: { ids: [1] } }]), refused)
    await assert.rejects(score(server, [{ prompts: [{ ids: [1] }], answer }], { server: "vllm" }), refused)
  })

  const lacking: Readonly<Record<string, Handler>> = {
    "a refusal": json({ error: { message: "only no echo is supported" } }, 400),
    "no such place": json("", 404),
    "a text without log-probabilities": json({ choices: [{ text: "x", finish_reason: "length", logprobs: null }] }),
    "log-probabilities with a gap": json({
      choices: [{ text: "x", logprobs: { tokens: ["a", "b"], token_logprobs: [null, null] } }],
    }),
    "more than was asked for": (response, request) => {
      const tokens = ["<s>", ...tokensOf(`${request.body["prompt"]} and so on`)]
      const token_logprobs = tokens.map((_, index) => (index === 0 ? null : -1))
      json({ choices: [{ text: tokens.slice(1).join(""), logprobs: { tokens, token_logprobs } }] })(response, request)
    },
    "no choice": json({ choices: [] }),
  }
  for (const [name, handler] of Object.entries(lacking)) {
    it(`says what is missing where the server gives ${name}`, async () => {
      await assert.rejects(score(await served(handler), [{ prompts, answer }]), {
        _tag: "InvalidGeneration",
        message: /^the remote model's server offers no /,
      })
    })
  }

  it("asks for what answers end in, and leaves failures of the connection what they are", async () => {
    const server = await served(json("", 500))
    const open = openAiGenerator({ baseUrl: server.baseUrl, model: "m" }).pipe(
      Effect.flatMap((generator) => generator.score([{ prompts, answer }])),
    )
    await assert.rejects(Effect.runPromise(open), { _tag: "InvalidGeneration", field: "endOfText" })
    assert.equal(server.received.length, 0)
    await assert.rejects(score(server, [{ prompts, answer }]), { _tag: "RemoteFailed", status: 500 })
    const partly: Handler = (response, request) =>
      request.path === "/tokenize" ? vllm(response, request) : json({ choices: [{ text: "x" }] })(response, request)
    await assert.rejects(score(await served(partly), [{ prompts, answer }], { server: "vllm" }), {
      _tag: "InvalidGeneration",
      message: /prompt_logprobs$/,
    })
  })
})
