import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { Effect } from "effect"
import { fetchModel, type HubEvent } from "../../src/node/Hub.ts"
import { openDecoder } from "../../src/node/LoadDecoder.ts"
import { openEncoder } from "../../src/node/LoadEncoder.ts"
import { goldenPath } from "../support/Golden.ts"

const scratch = await mkdtemp(join(tmpdir(), "hub-"))
const servers: Server[] = []
after(async () => {
  for (const server of servers) server.close().closeAllConnections()
  await rm(scratch, { recursive: true, force: true })
})

const commit = "0123456789abcdef0123456789abcdef01234567"
const fixture = goldenPath("sentence-transformers-tiny")

interface Behaviour {
  readonly files: Map<string, Uint8Array>
  /** Paths of the requests, in order, with their ranges. */
  readonly log: string[]
  token?: string
  /** Ends the body of `model.safetensors` after so many bytes, this often. */
  cut?: { bytes: number; times: number }
  /** Answers 503 this often. */
  unavailable?: number
  corrupt?: boolean
}

const repository = async (folder = fixture): Promise<Map<string, Uint8Array>> => {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(files.map(async (file) => [file.slice(folder.length + 1), await readFile(file)] as const)),
  )
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** A hub of one model, `org/tiny`, speaking the part of the protocol that downloads use. */
const hub = async (behaviour: Behaviour): Promise<string> => {
  const respond = (request: IncomingMessage, response: ServerResponse): ServerResponse => {
    const url = new URL(request.url ?? "/", "http://hub")
    const path = decodeURIComponent(url.pathname)
    behaviour.log.push(`${path} ${request.headers.range ?? ""}`.trim())
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
    if (behaviour.token !== undefined && request.headers.authorization !== `Bearer ${behaviour.token}`) {
      return json(401, { error: `Invalid credentials ${request.headers.authorization ?? ""}` })
    }
    if ((behaviour.unavailable ?? 0) > 0) {
      behaviour.unavailable = (behaviour.unavailable ?? 0) - 1
      return json(503, { error: "busy" })
    }
    if (/^\/api\/models\/org\/tiny\/revision\/(main|v1)$/.test(path)) {
      return json(200, {
        _id: "1",
        id: "org/tiny",
        sha: commit,
        private: false,
        downloads: 0,
        gated: false,
        likes: 0,
        lastModified: "2026-01-01T00:00:00Z",
      })
    }
    if (path === `/api/models/org/tiny/tree/${commit}`) {
      const entries = [...behaviour.files].map(([name, bytes]) => ({
        type: "file",
        path: name,
        size: bytes.byteLength,
        oid: "0".repeat(40),
        ...(name.endsWith(".safetensors")
          ? { lfs: { oid: sha256(bytes), size: bytes.byteLength, pointerSize: 130 } }
          : {}),
      }))
      return json(200, entries)
    }
    const prefix = `/org/tiny/resolve/${commit}/`
    const file = path.startsWith(prefix) ? behaviour.files.get(path.slice(prefix.length)) : undefined
    if (file === undefined) return json(404, { error: "Repository not found" })
    return send(behaviour, request, response, path, file)
  }
  const server = createServer(respond)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  assert.ok(typeof address === "object" && address !== null)
  return `http://127.0.0.1:${address.port}`
}

const send = (
  behaviour: Behaviour,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  file: Uint8Array,
): ServerResponse => {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")
  const start = Number(range?.[1] ?? 0)
  const end = Math.min(Number(range?.[2] ?? file.byteLength - 1), file.byteLength - 1)
  const body = file.slice(start, end + 1)
  response.writeHead(range === null ? 200 : 206, {
    etag: '"x"',
    "content-length": body.byteLength,
    ...(range === null ? {} : { "content-range": `bytes ${start}-${end}/${file.byteLength}` }),
  })
  const large = path.endsWith(".safetensors") && body.byteLength > 1
  if (large && behaviour.corrupt === true) body[body.byteLength - 1] = (body.at(-1) ?? 0) ^ 1
  if (large && behaviour.cut !== undefined && behaviour.cut.times > 0) {
    behaviour.cut.times--
    response.write(body.slice(0, behaviour.cut.bytes), () => setTimeout(() => response.destroy(), 20))
    return response
  }
  return response.end(body)
}

const cacheOf = async (name: string): Promise<string> => {
  const cache = join(scratch, name)
  await mkdir(cache, { recursive: true })
  return cache
}

test("a model is fetched with its settings, told about, cached, and loaded", async () => {
  const behaviour: Behaviour = { files: await repository(), log: [] }
  behaviour.files.set("pytorch_model.bin", new Uint8Array(10)).set("onnx/model.onnx", new Uint8Array(10))
  const endpoint = await hub(behaviour)
  const cache = await cacheOf("plain")
  const events: HubEvent[] = []
  const options = { cache, endpoint, token: "", onEvent: (event: HubEvent) => void events.push(event) }
  const encoder = await Effect.runPromise(openEncoder("org/tiny", options))
  assert.deepEqual(encoder.pooling, { mode: "mean", normalize: true })
  assert.equal(encoder.source.kind, "weights")
  assert.deepEqual(events[0], { kind: "resolved", model: "org/tiny", commit, offline: false })
  const weights = events.filter((event) => "file" in event && event.file === "model.safetensors")
  const size = behaviour.files.get("model.safetensors")?.byteLength
  assert.deepEqual(weights.at(-1), { kind: "file", file: "model.safetensors", size, cached: false })
  assert.deepEqual(weights.at(-2), { kind: "progress", file: "model.safetensors", received: size, size })
  assert.ok(!behaviour.log.some((line) => line.includes("pytorch_model.bin") || line.includes("onnx/")))
  assert.ok(!(await readdir(join(cache, "models--org--tiny", commit))).some((name) => name.endsWith(".part")))

  const before = behaviour.log.length
  await Effect.runPromise(fetchModel("org/tiny@main", options))
  assert.deepEqual(behaviour.log.slice(before), ["/api/models/org/tiny/revision/main"])
  await Effect.runPromise(fetchModel(`org/tiny@${commit}`, options))
  assert.equal(behaviour.log.length, before + 1)
})

test("without a network the last known commit serves, and an unknown revision is an error", async () => {
  const endpoint = await hub({ files: await repository(), log: [] })
  const cache = await cacheOf("offline")
  await Effect.runPromise(fetchModel("org/tiny@v1", { cache, endpoint, token: "" }))
  const dead = { cache, endpoint: "http://127.0.0.1:9", token: "" }
  const events: HubEvent[] = []
  const folder = await Effect.runPromise(
    fetchModel("org/tiny@v1", { ...dead, onEvent: (event) => void events.push(event) }),
  )
  assert.ok(folder.endsWith(commit))
  assert.deepEqual(events, [{ kind: "resolved", model: "org/tiny", commit, offline: true }])
  const error = await Effect.runPromise(Effect.flip(fetchModel("org/tiny@v2", dead)))
  assert.equal(error._tag, "HubError")
  assert.match(error.message, /cannot be had/)
})

test("a download that is cut off goes on where it ended", async () => {
  const files = await repository()
  const behaviour: Behaviour = { files, log: [], cut: { bytes: 10_000, times: 2 } }
  const endpoint = await hub(behaviour)
  const cache = await cacheOf("resumed")
  const folder = await Effect.runPromise(fetchModel("org/tiny", { cache, endpoint, token: "" }))
  assert.deepEqual(
    new Uint8Array(await readFile(join(folder, "model.safetensors"))),
    new Uint8Array(files.get("model.safetensors")!),
  )
  const starts = behaviour.log
    .filter((line) => line.includes("model.safetensors"))
    .map((line) => Number(/bytes=(\d+)-/.exec(line)?.[1] ?? 0))
  assert.ok(starts.includes(10_000) && starts.includes(20_000), `${starts}`)
})

test("a file that arrives damaged is refused and not kept", async () => {
  const endpoint = await hub({ files: await repository(), log: [], corrupt: true })
  const cache = await cacheOf("damaged")
  const error = await Effect.runPromise(Effect.flip(fetchModel("org/tiny", { cache, endpoint, token: "" })))
  assert.equal(error._tag, "HubError")
  assert.match(error.message, /damaged: another checksum/)
  const left = await readdir(join(cache, "models--org--tiny", commit))
  assert.ok(!left.some((name) => name.startsWith("model.safetensors")))
})

test("a busy hub is asked again", async () => {
  const endpoint = await hub({ files: await repository(), log: [], unavailable: 2 })
  const folder = await Effect.runPromise(fetchModel("org/tiny", { cache: await cacheOf("busy"), endpoint, token: "" }))
  assert.ok((await stat(join(folder, "config.json"))).size > 0)
})

test("the token is sent, and never told", async () => {
  const token = "hf_secretsecret"
  const endpoint = await hub({ files: await repository(), log: [], token })
  const cache = await cacheOf("token")
  await Effect.runPromise(fetchModel("org/tiny", { cache, endpoint, token }))
  for (const wrong of ["hf_wrongwrong", "wrongwrong"]) {
    const error = await Effect.runPromise(
      Effect.flip(fetchModel("org/tiny@v1", { cache: await cacheOf(wrong), endpoint, token: wrong })),
    )
    assert.equal(error._tag, "HubError")
    assert.ok(
      !JSON.stringify({ ...error, message: error.message, stack: error.stack, cause: error.cause }).includes(
        'wrongwrong"',
      ),
    )
    assert.ok(!`${error.stack} ${error.cause}`.includes(wrong))
    assert.match(error.hint ?? "", /HF_TOKEN/)
  }
})

test("names that leave the folder are refused before anything is written", async () => {
  for (const path of ["../evil.json", "a/../../evil", "/etc/evil", "a\\..\\evil", "C:evil", "a//b", "x\u0000y"]) {
    const files = (await repository()).set(path, new Uint8Array(3))
    const endpoint = await hub({ files, log: [] })
    const cache = await cacheOf(`unsafe-${sha256(new TextEncoder().encode(path)).slice(0, 8)}`)
    const error = await Effect.runPromise(Effect.flip(fetchModel("org/tiny", { cache, endpoint, token: "" })))
    assert.equal(error._tag, "HubError")
    assert.match(error.message, /leaves its folder/)
    assert.deepEqual(await readdir(cache), [])
  }
})

test("a language model in several files comes with its index, and not with the files that loading does not read", async () => {
  const files = await repository(goldenPath("decoders/qwen2"))
  files.set("onnx/model.onnx", new Uint8Array(5))
  const log: string[] = []
  const options = { cache: await cacheOf("sharded"), endpoint: await hub({ files, log }), token: "" }
  const decoder = await Effect.runPromise(openDecoder("org/tiny", options))
  assert.equal(decoder.config?.layers.length, 2)
  const fetched = log.filter((line) => line.includes("/resolve/")).map((line) => line.split(" ")[0]!.split("/").at(-1))
  assert.deepEqual([...new Set(fetched)].sort(), [
    "config.json",
    "generation_config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
  ])
})

test("what is neither a folder nor a hub id, and what the hub lacks, are tagged errors", async () => {
  const endpoint = await hub({ files: await repository(), log: [] })
  const options = { cache: await cacheOf("missing"), endpoint, token: "" }
  const fail = (model: string) => Effect.runPromise(Effect.flip(openEncoder(model, options)))
  assert.equal((await fail("./no/such/folder")).message.includes("no folder"), true)
  const other = await fail("org/other")
  assert.equal(other._tag, "NotOnHub")
  assert.match(other.message, /does not have org\/other@main/)
  assert.match((await Effect.runPromise(Effect.flip(fetchModel("org/../x", options)))).message, /not the name/)
  const bare = await hub({ files: new Map([["README.md", new Uint8Array(3)]]), log: [] })
  const error = await Effect.runPromise(
    Effect.flip(openEncoder("org/tiny", { ...options, cache: await cacheOf("bare"), endpoint: bare })),
  )
  assert.match(error.message, /no model/)
})

test("the endpoint comes from the environment, and a full disk or a file in the way is a tagged error", async () => {
  process.env["HF_ENDPOINT"] = `${await hub({ files: await repository(), log: [] })}/`
  try {
    const cache = await cacheOf("environment")
    assert.ok((await Effect.runPromise(fetchModel("org/tiny", { cache, token: "" }))).startsWith(cache))
    const blocked = join(scratch, "blocked")
    await writeFile(blocked, "a file where a folder must stand")
    const error = await Effect.runPromise(Effect.flip(fetchModel("org/tiny", { cache: blocked, token: "" })))
    assert.equal(error._tag, "HubError")
    assert.match(error.message, /cache cannot be written/)
  } finally {
    delete process.env["HF_ENDPOINT"]
  }
})
