// One run served by Node, Bun and Deno: the same embeddings and answers, streams that end with their client, an orderly end.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import OpenAI from "openai"
import { sendBytes, statusOf } from "../../apps/edge/test/support/Server.ts"
import { questions, smallRun } from "../../packages/rag/test/support/SmallRun.ts"
import { installRuntime, type RuntimeName, runArguments, runtimeEnvironment } from "../../scripts/support/Runtimes.ts"
import { type Program, type Serving, startServing } from "../support/Serving.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-served-"))
after(() => rmSync(folder, { recursive: true, force: true }))
const runtimes: readonly ("node" | RuntimeName)[] = ["node", "bun", "deno"]
const programs = new Map<string, Program>()
let run: string

before(async () => {
  run = await smallRun(join(folder, "run"))
  programs.set("node", { path: process.execPath, args: [], env: {} })
  for (const name of ["bun", "deno"] as const)
    programs.set(name, { path: await installRuntime(name), args: runArguments[name], env: runtimeEnvironment })
})

const serve = (name: string): Promise<Serving> =>
  startServing(["--run", run, "--threads", "1", "--max-body", "2000"], programs.get(name))

const told = async (url: string) => {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 })
  const { data } = await client.embeddings.create({ model: "tandem", input: [...questions] })
  const messages = [{ role: "user" as const, content: questions[0] ?? "" }]
  const { choices } = await client.chat.completions.create({ model: "tandem", messages })
  let streamed = ""
  for await (const part of await client.chat.completions.create({ model: "tandem", messages, stream: true }))
    streamed += part.choices[0]?.delta.content ?? ""
  return { vectors: data.map(({ embedding }) => embedding), answer: choices[0]?.message.content, streamed }
}

const expected = new Map<string, Awaited<ReturnType<typeof told>>>()

for (const name of runtimes)
  test(`${name} serves the run's embeddings and answers, refuses what is too much, and ends in order`, async () => {
    const { url, process: child, ended } = await serve(name)
    const port = Number(new URL(url).port)
    const found = await told(url)
    const [, reference = found] = [...expected][0] ?? []
    expected.set(name, found)
    assert.deepEqual([found.answer, found.streamed], [reference.answer, reference.answer])
    for (const [row, vector] of found.vectors.entries())
      for (const [at, value] of vector.entries()) assert.ok(Math.abs(value - reference.vectors[row]![at]!) < 1e-3)
    const chunk = `3e8\r\n${" ".repeat(1000)}\r\n`
    const head =
      "POST /ask HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    assert.equal(statusOf(await sendBytes(port, [head, chunk, chunk, chunk])), 413)
    assert.ok(
      statusOf(await sendBytes(port, ["POST /ask HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc"])) ===
        415,
    )
    assert.ok(statusOf(await sendBytes(port, ["what is this\r\n\r\n"])) < 500)
    assert.equal((await fetch(`${url}/`)).headers.get("content-type"), "text/html; charset=utf-8")
    child.kill("SIGTERM")
    assert.equal(await ended, 0)
  })
