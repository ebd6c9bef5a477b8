// Exports of a small run, and what they answer.
import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import { exportRun } from "@tandem/edge/node/ExportRun"
import type { RagClient } from "@tandem/rag"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { questions } from "../../packages/rag/test/support/SmallRun.ts"

export const exported = (settings: Parameters<typeof exportRun>[0]) =>
  Effect.runPromise(Effect.provide(exportRun(settings), layer({ threads: 1 })))

/** A port that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })

/** A program that serves at an address; it has begun when its health can be asked for. */
export const started = async (
  program: string,
  args: readonly string[],
  { url, cwd, env = {} }: { readonly url: string; readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): Promise<ChildProcess> => {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] })
  let [output, ended] = ["", false]
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
  child.on("close", () => {
    ended = true
  })
  for (;;) {
    if (ended) throw new Error(`${program} ended: ${output}`)
    const answer = await fetch(`${url}/healthz`).catch(() => undefined)
    if (answer?.ok === true) return child
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const post = async (url: string, body: object) => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  })
  assert.equal(response.status, 200, await response.clone().text())
  return response.json()
}

/** What is served answers as the same files that were opened here do: same answers, sources and, to 1e-3, embeddings. */
export const assertServes = async (url: string, own: RagClient): Promise<void> => {
  const asked = questions.slice(0, 3)
  const expected = await own.askBatch(asked)
  // One after the other, and then together.
  const answers = []
  for (const query of asked) answers.push(await post(`${url}/ask`, { query }))
  answers.push(...(await Promise.all(asked.map((query) => post(`${url}/ask`, { query })))))
  for (const [index, { answer, sources }] of answers.entries()) {
    const { answer: own, sources: read } = expected[index % asked.length]!
    assert.equal(answer, own)
    assert.deepEqual(
      sources.map(({ id }: { readonly id: string }) => id),
      read.map(({ id }) => id),
    )
  }
  const vectors = await own.embed(asked, { as: "query" })
  const { data } = await post(`${url}/v1/embeddings`, { model: "tandem", input: asked })
  for (const [row, { embedding }] of data.entries())
    for (const [at, value] of embedding.entries()) assert.ok(Math.abs(value - vectors[row]![at]!) < 1e-3)
}
