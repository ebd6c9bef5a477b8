// A served run, asked over HTTP by LangChain.js and the AI SDK through their own OpenAI-compatible classes.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai"
import type { Answer, RagClient } from "@tandem/rag"
import { openRag } from "@tandem/rag/node/OpenRag"
import { APICallError, embedMany, generateText, streamText } from "ai"
import { type Server, serve } from "../apps/edge/test/support/Server.ts"
import { questions, smallRun } from "../packages/rag/test/support/SmallRun.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-clients-"))
const apiKey = "open-sesame-42"
const [question = ""] = questions
let rag: RagClient
let server: Server
let expected: Answer
before(async () => {
  rag = await openRag(await smallRun(join(folder, "run")), { threads: 1 })
  expected = await rag.ask(question)
  server = await serve(rag, { apiKey, name: "mill" })
})
after(async () => {
  await server?.[Symbol.asyncDispose]()
  await rag?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** More texts than a client puts into one request. */
const texts = Array.from({ length: 600 }, (_, index) => `the mill number ${index}`)

const assertNear = (found: readonly (readonly number[])[], vectors: readonly Float32Array[]): void => {
  assert.equal(found.length, vectors.length)
  for (const [row, vector] of vectors.entries())
    for (const [at, value] of vector.entries()) assert.ok(Math.abs(value - found[row]![at]!) < 1e-5)
}

test("LangChain.js: chat as a whole, in a stream and cancelled; embeddings of many texts", async () => {
  const configuration = { baseURL: `${server.url}/v1` }
  const model = new ChatOpenAI({ model: "mill", apiKey, configuration, maxRetries: 0 })
  const message = await model.invoke(question)
  assert.equal(message.text, expected.answer)
  const usage_metadata = { input_tokens: expected.promptTokens, output_tokens: expected.tokens.length }
  assert.partialDeepStrictEqual({ ...message }, { usage_metadata })
  let [streamed, parts] = ["", 0]
  for await (const chunk of await model.stream(question)) {
    streamed += chunk.text
    parts++
  }
  assert.equal(streamed, expected.answer)
  assert.ok(parts > 2)
  await assert.rejects(model.invoke(question, { signal: AbortSignal.abort() }))
  const embeddings = new OpenAIEmbeddings({ model: "mill-passage", apiKey, configuration, maxRetries: 0 })
  assertNear(await embeddings.embedDocuments(texts), await rag.embed(texts, { as: "passage" }))
  const asQuestions = new OpenAIEmbeddings({ model: "mill-query", apiKey, configuration, maxRetries: 0 })
  assertNear([await asQuestions.embedQuery(question)], await rag.embed([question], { as: "query" }))
  const stranger = new ChatOpenAI({ model: "mill", apiKey: "another", configuration, maxRetries: 0 })
  await assert.rejects(stranger.invoke(question), { status: 401 })
})

test("AI SDK: text as a whole and in a stream, embeddings of many texts, and what is wrong", async () => {
  const baseURL = `${server.url}/v1`
  const tandem = createOpenAICompatible({ name: "tandem", baseURL, apiKey, includeUsage: true })
  const { text, usage, finishReason } = await generateText({ model: tandem("mill"), prompt: question, maxRetries: 0 })
  assert.equal(text, expected.answer)
  assert.equal(usage.inputTokens, expected.promptTokens)
  assert.equal(finishReason, expected.finish === "length" ? "length" : "stop")
  const writing = streamText({ model: tandem("mill"), prompt: question, maxRetries: 0 })
  let [streamed, parts] = ["", 0]
  for await (const part of writing.textStream) {
    streamed += part
    parts++
  }
  assert.equal(streamed, expected.answer)
  assert.ok(parts > 1)
  assert.equal((await writing.usage).outputTokens, expected.tokens.length)
  const { embeddings } = await embedMany({ model: tandem.embeddingModel("mill-passage"), values: texts, maxRetries: 0 })
  assertNear(embeddings, await rag.embed(texts, { as: "passage" }))
  const stranger = createOpenAICompatible({ name: "tandem", baseURL, apiKey: "another" })
  await assert.rejects(generateText({ model: stranger("mill"), prompt: question, maxRetries: 0 }), (error) => {
    assert.ok(APICallError.isInstance(error))
    assert.equal(error.statusCode, 401)
    assert.equal(error.message, "the key is not right")
    return true
  })
  await assert.rejects(
    generateText({ model: tandem("mill"), prompt: question, temperature: 1, maxRetries: 0 }),
    /temperature/,
  )
})
