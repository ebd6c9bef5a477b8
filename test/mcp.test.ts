// A run as tools, asked by the official client of the Model Context Protocol over standard input and output.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { smallRun } from "../packages/rag/test/support/SmallRun.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-mcp-"))
after(() => rmSync(folder, { recursive: true, force: true }))

test("tandem mcp: an assistant lists the tools, finds passages and is answered", async () => {
  const run = await smallRun(join(folder, "run"))
  const main = fileURLToPath(new URL("../apps/cli/src/main.ts", import.meta.url))
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [main, "mcp", "--run", run, "--threads", "1", "-k", "2"],
    stderr: "pipe",
  })
  let told = ""
  transport.stderr?.on("data", (chunk: Buffer) => {
    told += chunk.toString()
  })
  const client = new Client({ name: "test", version: "1.0.0" })
  await client.connect(transport)
  const { tools } = await client.listTools()
  assert.deepEqual(
    tools.map(({ name }) => name),
    ["retrieve", "ask"],
  )
  const question = "who owns the mill?"
  const found = await client.callTool({ name: "retrieve", arguments: { question, k: 3 } })
  const { passages } = JSON.parse(JSON.stringify(found.structuredContent))
  assert.equal(passages.length, 3)
  const { sources, answer } = JSON.parse(
    JSON.stringify((await client.callTool({ name: "ask", arguments: { question } })).structuredContent),
  )
  assert.equal(sources.length, 2)
  assert.equal(typeof answer, "string")
  const refused = await client.callTool({ name: "retrieve", arguments: { question, k: 0 } })
  assert.equal(refused.isError, true)
  await client.close()
  assert.match(told, /Model Context Protocol/)
})
