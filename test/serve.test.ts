// `tandem serve` on a run of tiny models, asked by OpenAI's own client.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { openRag } from "@tandem/rag/node/OpenRag"
import OpenAI from "openai"
import { questions, smallRun } from "../packages/rag/test/support/SmallRun.ts"
import { type Serving, startServing } from "./support/Serving.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-serve-"))
const key = "open-sesame-42"
const [question = ""] = questions
let run: string
let serving: Serving
let client: OpenAI

before(async () => {
  process.env["TANDEM_TEST_KEY"] = key
  run = await smallRun(join(folder, "secret-place"))
  serving = await startServing(["--run", run, "--threads", "1", "--api-key-env", "TANDEM_TEST_KEY", "--name", "mill"])
  client = new OpenAI({ baseURL: `${serving.url}/v1`, apiKey: key, maxRetries: 0 })
})
after(() => {
  serving?.process.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

const messages = [{ role: "user" as const, content: question }]

test("OpenAI's client is answered as the run answers itself, as a whole and in a stream", async () => {
  await using own = await openRag(run, { threads: 1 })
  const expected = await own.ask(question)
  const whole = await client.chat.completions.create({ model: "mill", messages, logprobs: true })
  assert.equal(whole.choices[0]?.message.content, expected.answer)
  assert.equal(whole.usage?.completion_tokens, expected.tokens.length)
  assert.equal(whole.usage?.prompt_tokens, expected.promptTokens)
  for (const [index, { logprob }] of (whole.choices[0]?.logprobs?.content ?? []).entries())
    assert.ok(Math.abs(logprob - expected.tokens[index]!.logprob) < 1e-4)
  const parts = await client.chat.completions.create({
    model: "mill",
    messages,
    stream: true,
    stream_options: { include_usage: true },
  })
  let [text, finish, tokens] = ["", "", 0]
  for await (const { choices, usage } of parts) {
    text += choices[0]?.delta.content ?? ""
    finish = choices[0]?.finish_reason ?? finish
    tokens = usage?.completion_tokens ?? tokens
  }
  assert.deepEqual([text, tokens], [expected.answer, expected.tokens.length])
  assert.equal(finish, expected.finish === "length" ? "length" : "stop")
  const short = await client.chat.completions.create({ model: "mill", messages, max_completion_tokens: 1 })
  assert.equal(short.choices[0]?.finish_reason, "length")
})

test("OpenAI's client gets the embeddings that the run makes, and the names of its models", async () => {
  await using own = await openRag(run, { threads: 1 })
  for (const as of ["query", "passage"] as const) {
    const expected = await own.embed(questions, { as })
    const { data, usage } = await client.embeddings.create({ model: `mill-${as}`, input: [...questions] })
    for (const [index, { embedding }] of data.entries())
      for (const [at, value] of embedding.entries()) assert.ok(Math.abs(value - expected[index]![at]!) < 1e-5)
    assert.equal(data.length, questions.length)
    const { counts } = await own.tokenize(questions, { as })
    assert.equal(
      usage.prompt_tokens,
      counts.reduce((sum, count) => sum + count),
    )
  }
  const names: string[] = []
  for await (const { id } of client.models.list()) names.push(id)
  assert.deepEqual(names, ["mill", "mill-query", "mill-passage"])
})

test("OpenAI's client hears of what is wrong in its own classes of errors", async () => {
  const wrongKey = new OpenAI({ baseURL: `${serving.url}/v1`, apiKey: "another", maxRetries: 0 })
  await assert.rejects(wrongKey.models.list(), OpenAI.AuthenticationError)
  await assert.rejects(client.chat.completions.create({ model: "gpt-9", messages }), OpenAI.NotFoundError)
  await assert.rejects(client.chat.completions.create({ model: "mill", messages, temperature: 1 }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError)
    assert.equal(error.param, "temperature")
    return true
  })
  const long = "the mill ".repeat(2000)
  const asked = client.chat.completions.create({ model: "mill", messages: [{ role: "user", content: long }] })
  await assert.rejects(asked, OpenAI.BadRequestError)
})

test("an orderly end finishes what runs; neither paths nor keys nor questions stand in what was logged", async () => {
  const asked = client.chat.completions.create({ model: "mill", messages })
  await new Promise((resolve) => setTimeout(resolve, 20))
  serving.process.kill("SIGTERM")
  assert.equal((await asked).object, "chat.completion")
  assert.equal(await serving.ended, 0)
  const text = serving.lines.join("\n")
  assert.equal(JSON.parse(serving.lines.at(-1)!).event, "stopped")
  assert.match(text, /"route":"\/v1\/chat\/completions","status":200/)
  assert.doesNotMatch(text, /sesame|secret-place|who owns/)
})

test("a key that is none, a run that is none and a port that is taken end before anything is served", async () => {
  process.env["TANDEM_SHORT_KEY"] = "abc"
  await assert.rejects(startServing(["--run", run, "--api-key-env", "TANDEM_SHORT_KEY"]), /ended with 2.*InvalidKey/s)
  await assert.rejects(startServing(["--run", join(folder, "none")]), /ended with 3.*NoRun/s)
  await assert.rejects(startServing(["--run", run, "--host", "192.0.2.1"]), /ended with 4.*AddressUnavailable/s)
})
