// The same system behind the interfaces of others, by their own packages.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { HumanMessage } from "@langchain/core/messages"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { type Answer, type RagClient, sourceOf } from "@tandem/rag"
import { retrievalTool, tandemEmbeddingModel, tandemLanguageModel } from "@tandem/rag/ai"
import { ChatTandem, TandemEmbeddings, TandemRetriever } from "@tandem/rag/langchain"
import { TandemRetriever as LlamaRetriever } from "@tandem/rag/llamaindex"
import { toolServer, toolSource } from "@tandem/rag/mcp"
import { openRag } from "@tandem/rag/node/OpenRag"
import { embed, generateText, streamText } from "ai"
import { passages, questions, smallRun } from "../support/SmallRun.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-rag-adapters-"))
const run = join(folder, "run")
const question = questions[3]!
let rag: RagClient
let expected: Answer
before(async () => {
  rag = await openRag(await smallRun(run), { threads: 1 })
  expected = await rag.ask(question)
})
after(async () => {
  await rag?.close()
  rmSync(folder, { recursive: true, force: true })
})

const ids = () => expected.sources.map(({ id }) => id)

test("LangChain.js: a retriever, embeddings and a chat model", async () => {
  const documents = await new TandemRetriever(rag).invoke(question)
  assert.deepEqual(
    documents.map(({ id }) => id),
    ids(),
  )
  assert.equal(documents[0]?.pageContent, expected.sources[0]?.text)
  const embeddings = new TandemEmbeddings(rag)
  const [vector] = await rag.embed([question], { as: "query" })
  assert.deepEqual(await embeddings.embedQuery(question), [...vector!])
  assert.equal((await embeddings.embedDocuments(["a", "b"])).length, 2)
  const model = new ChatTandem(rag)
  const message = await model.invoke([new HumanMessage(question)])
  assert.equal(message.text, expected.answer)
  assert.deepEqual(message.response_metadata["sources"], expected.sources)
  assert.deepEqual(Object.entries(message).find(([name]) => name === "usage_metadata")?.[1], {
    input_tokens: expected.promptTokens,
    output_tokens: expected.tokens.length,
    total_tokens: expected.promptTokens + expected.tokens.length,
  })
  let streamed = ""
  for await (const chunk of await model.stream(question)) streamed += chunk.text
  assert.equal(streamed.trim(), expected.answer)
  const control = new AbortController()
  control.abort()
  await assert.rejects(model.invoke(question, { signal: control.signal }))
})

test("LlamaIndex.TS: a retriever", async () => {
  const nodes = await new LlamaRetriever(rag, { k: 2 }).retrieve({ query: question })
  assert.deepEqual(
    nodes.map(({ node }) => node.id_),
    ids().slice(0, 2),
  )
})

test("AI SDK: a language model with sources, an embedding model and a tool", async () => {
  const model = tandemLanguageModel(rag)
  const { text, sources, finishReason, usage } = await generateText({ model, prompt: question })
  assert.equal(text, expected.answer)
  assert.deepEqual(
    sources.map(({ id }) => id),
    ids(),
  )
  assert.equal(finishReason, expected.finish === "length" ? "length" : "stop")
  assert.equal(usage.outputTokens, expected.tokens.length)
  const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: question }] }]
  const asked = { prompt, frequencyPenalty: 1, responseFormat: { type: "json" as const } }
  assert.deepEqual((await model.doGenerate(asked)).warnings, [
    { type: "unsupported", feature: "frequencyPenalty" },
    { type: "unsupported", feature: "responseFormat" },
  ])
  let streamed = ""
  for await (const part of streamText({ model, prompt: question }).textStream) streamed += part
  assert.equal(streamed.trim(), expected.answer)
  const { embedding } = await embed({ model: tandemEmbeddingModel(rag, { as: "query" }), value: question })
  const [vector] = await rag.embed([question], { as: "query" })
  assert.deepEqual(embedding, [...vector!])
  const found = await retrievalTool(rag).execute?.({ question }, { toolCallId: "1", messages: [], context: {} })
  assert.ok(Array.isArray(found) && found.length === 3)
})

const connected = async (served: RagClient): Promise<Client> => {
  const [one, other] = InMemoryTransport.createLinkedPair()
  const client = new Client({ name: "test", version: "1.0.0" })
  await Promise.all([toolServer(served).connect(one), client.connect(other)])
  return client
}

test("Model Context Protocol: the system as tools, and tools as a knowledge source", async () => {
  const client = await connected(rag)
  const { tools } = await client.listTools()
  assert.deepEqual(
    tools.map(({ name }) => name),
    ["retrieve", "ask"],
  )
  const asked = await client.callTool({ name: "ask", arguments: { question } })
  assert.partialDeepStrictEqual(asked.structuredContent, { answer: expected.answer })
  const wrong = await client.callTool({ name: "retrieve", arguments: { question: "   " } })
  assert.equal(wrong.isError, true)

  // The passages of that server, read by a generator in this process, are answered from as from an index.
  await using other = await openRag(run, { source: toolSource(client), threads: 1, decoding: { kind: "together" } })
  assert.equal(other.facts.encoder, undefined)
  const answer = await other.ask(question)
  assert.deepEqual(
    answer.sources.map(({ id }) => id),
    ids(),
  )
  assert.equal(answer.answer, (await rag.ask(question, { decoding: { kind: "together" } })).answer)
  await client.close()
})

test("any function is a knowledge source, and what it does wrong is named", async () => {
  let wrong: unknown
  const source = sourceOf("things", async (asked, k) => {
    if (wrong !== undefined) throw wrong
    return passages.filter(({ title }) => asked.includes(title)).slice(0, k)
  })
  await using other = await openRag(run, { source, threads: 1 })
  const { sources } = await other.ask("who owns the boat?")
  assert.deepEqual(
    sources.map(({ id, prior }) => [id, prior]),
    [
      ["boat-1", 0.5],
      ["boat-2", 0.5],
    ],
  )
  assert.ok((await other.ask("who?")).sources.length === 0)
  await assert.rejects(other.embed(["a"], { as: "query" }), { _tag: "InvalidAsk", field: "model" })
  wrong = new Error("the search engine is down")
  await assert.rejects(other.retrieve("who owns the boat?"), { _tag: "KnowledgeSource", message: /is down/ })
})
