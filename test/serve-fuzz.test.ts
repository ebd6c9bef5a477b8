// Requests that went wrong on their way: mutated JSON, headers, addresses and chunks. Whatever comes, the answer is an error
// of the client's in OpenAI's shape, or what the request still says. What is served is a run of tiny models.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import type { RagClient } from "@tandem/rag"
import { openRag } from "@tandem/rag/node/OpenRag"
import { Random } from "@tandem/random"
import { sendBytes, serve, statusOf } from "../apps/edge/test/support/Server.ts"
import { smallRun } from "../packages/rag/test/support/SmallRun.ts"
import { mutated } from "./support/fuzz/Mutation.ts"

const count = Number(process.env["TANDEM_FUZZ"] ?? 300)

const folder = mkdtempSync(join(tmpdir(), "tandem-secret-place-"))
let rag: RagClient
before(async () => {
  rag = await openRag(await smallRun(join(folder, "run")), { threads: 1 })
})
after(async () => {
  await rag?.close()
  rmSync(folder, { recursive: true, force: true })
})

const bodies: Readonly<Record<string, object>> = {
  "/ask": { query: "who owns the mill?", k: 2, max_tokens: 4, stream: false },
  "/retrieve": { queries: ["the mill", "the barn"], k: 1 },
  "/v1/embeddings": { model: "tandem", input: ["a", "b"], encoding_format: "base64", user: "u" },
  "/v1/chat/completions": { model: "tandem", messages: [{ role: "user", content: "mill?" }], temperature: 0, n: 1 },
}

const strange: readonly unknown[] = [
  ...[null, true, 0, -1, 1e308, 0.5, 2 ** 53, "", "\u0000", "\ud800", [], {}, [[]], "x".repeat(2000)],
  ...[{ __proto__: null, constructor: 1 }, [null], ["a", 1], "../../etc/passwd", "%00", "{{7*7}}"],
]

const mutateValue = (value: unknown, random: Random): unknown => {
  if (random.next() < 0.25) return random.choice(strange)
  if (Array.isArray(value)) {
    const copy = [...value]
    const at = random.integer(copy.length + 1)
    copy[at] = mutateValue(copy[at], random)
    return copy
  }
  if (typeof value === "object" && value !== null) {
    const keys = Object.keys(value)
    const key = random.next() < 0.2 ? random.choice(["__proto__", "extra", "", "toString"]) : random.choice(keys)
    const entries = Object.entries(value).map(([name, inner]) => [
      name,
      name === key ? mutateValue(inner, random) : inner,
    ])
    return Object.fromEntries(keys.includes(key) ? entries : [...entries, [key, random.choice(strange)]])
  }
  return random.choice(strange)
}

/** Bytes of a text with one to four damages. */
const mutateBytes = (text: string, random: Random): Uint8Array => {
  let bytes: Uint8Array = new TextEncoder().encode(text)
  for (let damages = 1 + random.integer(4); damages > 0 && bytes.length > 0; damages--)
    bytes = mutated(bytes, [0, bytes.length], random).bytes
  return bytes
}

interface Wrong {
  readonly name: string
  readonly pieces: readonly (string | Uint8Array)[]
}

const requestOf = (seed: number): Wrong => {
  const random = Random.fromSeed(seed)
  const route = random.choice(Object.keys(bodies))
  const plain = JSON.stringify(bodies[route])
  const head = (more: readonly string[]) =>
    ["POST", route, "HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json"].join(" ") +
    `\r\n${more.map((line) => `${line}\r\n`).join("")}\r\n`
  const whole = (body: Uint8Array) => Buffer.concat([Buffer.from(head([`content-length: ${body.length}`])), body])
  switch (random.integer(5)) {
    case 0:
      return { name: "value", pieces: [whole(Buffer.from(JSON.stringify(mutateValue(bodies[route], random))))] }
    case 1:
      return { name: "JSON", pieces: [whole(mutateBytes(plain, random))] }
    case 2:
      return {
        name: "head",
        pieces: [mutateBytes(head([`content-length: ${plain.length}`]), random), plain, "\r\n\r\n"],
      }
    case 3: {
      const size = 1 + random.integer(plain.length)
      const chunks = [plain.slice(0, size), plain.slice(size)].map(
        (part) => `${part.length.toString(16)}\r\n${part}\r\n`,
      )
      const body = mutateBytes(`${chunks.join("")}0\r\n\r\n`, random)
      return { name: "chunks", pieces: [head(["transfer-encoding: chunked"]), body] }
    }
    default:
      return {
        name: "address",
        pieces: [mutateBytes(`GET ${route}?a=%zz HTTP/1.1\r\nhost: localhost\r\n\r\n`, random)],
      }
  }
}

test(`${count} requests that went wrong are never a fault of the server's`, async () => {
  await using server = await serve(rag, { limits: { bodySeconds: 0.2 } })
  const statuses = new Map<string, number>()
  for (let seed = 0; seed < count; seed += 16) {
    const seeds = Array.from({ length: Math.min(16, count - seed) }, (_, index) => seed + index)
    await Promise.all(
      seeds.map(async (each) => {
        const { name, pieces } = requestOf(each)
        const answer = await sendBytes(server.port, pieces, 0.7)
        const status = statusOf(answer)
        const key = `${name} ${status}`
        statuses.set(key, (statuses.get(key) ?? 0) + 1)
        // None comes where the server waits for a head that does not end.
        assert.ok(status < 500, `seed ${each}: ${answer}`)
        assert.doesNotMatch(answer, /\.ts:\d|node:internal|node_modules|secret-place/, `seed ${each}`)
        if (status >= 400) assert.match(answer, /\r\n\r\n\{"error":\{"message":"/, `seed ${each}: ${answer}`)
      }),
    )
  }
  assert.ok(
    [...statuses.keys()].some((key) => key.endsWith("200")) && [...statuses.keys()].some((key) => key.endsWith("400")),
  )
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
})
