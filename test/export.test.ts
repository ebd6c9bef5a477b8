// Folders that serve a run elsewhere: what lies in them, and the one for Node, started.
import assert from "node:assert/strict"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { openRag } from "@tandem/rag/node/OpenRag"
import { smallRun } from "../packages/rag/test/support/SmallRun.ts"
import { root } from "../scripts/support/Workspace.ts"
import { assertServes, exported, freePort, started } from "./support/Exported.ts"

// Within the repository, so that programs find onnxruntime-node.
mkdirSync(join(root, ".cache"), { recursive: true })
const folder = mkdtempSync(join(root, ".cache", "export-"))
const run = join(folder, "run")
before(async () => {
  await smallRun(run)
  const config = JSON.parse(readFileSync(join(run, "config.json"), "utf8"))
  writeFileSync(join(run, "config.json"), JSON.stringify({ ...config, data: ["/srv/somebody/questions.jsonl"] }))
})
after(() => rmSync(folder, { recursive: true, force: true }))

const out = join(folder, "node")

test("an export has weights of 8 bits once, the index and its programs, and nothing of the training", async () => {
  const files = await exported({ run, target: "node", out })
  const paths = files.map(({ path }) => path)
  const weights = paths.filter((path) => /\.(onnx|safetensors)$/.test(path))
  assert.deepEqual(weights.sort(), ["run/generator/onnx/model.onnx", "run/retriever/onnx/model.onnx"])
  for (const name of ["server.js", "worker.js", "package.json", "Dockerfile", "run/store/manifest.json"])
    assert.ok(paths.includes(name), name)
  assert.equal(files[0]?.path, "server.js")
  assert.ok(files.every(({ bytes }, index) => index === 0 || bytes <= files[index - 1]!.bytes))
  assert.doesNotMatch(readFileSync(join(out, "run/config.json"), "utf8"), /somebody/)
  assert.equal(readFileSync(join(out, ".dockerignore"), "utf8"), "node_modules\n")
})

test("what was exported for Node stands alone and answers as its files do", async () => {
  const url = `http://127.0.0.1:${await freePort()}`
  let told = ""
  const env = { PORT: new URL(url).port, TANDEM_API_KEY: "" }
  await assert.rejects(started(process.execPath, ["server.js"], { url, cwd: out, env }), /TANDEM_API_KEY holds no key/)
  const server = await started(process.execPath, ["server.js"], { url, cwd: out, env: { PORT: env.PORT } })
  server.stdout?.on("data", (text: string) => {
    told += text
  })
  await using own = await openRag(join(out, "run"), { threads: 1 })
  await assertServes(url, own)
  const ended = new Promise((resolve) => server.on("exit", resolve))
  server.kill("SIGTERM")
  assert.equal(await ended, 0)
  const [line] = told.split("\n").filter((each) => each.includes('"/ask"'))
  const { id, seconds, ...rest } = JSON.parse(line ?? "{}")
  assert.deepEqual(rest, { event: "request", method: "POST", route: "/ask", status: 200 })
  assert.doesNotMatch(told, /who owns|export-/)
})

test("an export replaces an earlier one, and no other folder; a precision that was not saved is refused", async () => {
  await assert.rejects(exported({ run, target: "node", out: run }), { _tag: "Settings", field: "out" })
  assert.ok(existsSync(join(run, "retriever")))
  await assert.rejects(exported({ run, target: "node", dtype: "q4", out }), { _tag: "InvalidRun", field: "dtype" })
  const reader = join(folder, "reader")
  mkdirSync(reader)
  cpSync(join(run, "generator"), join(reader, "generator"), { recursive: true })
  cpSync(join(run, "config.json"), join(reader, "config.json"))
  const alone = { _tag: "InvalidRun", field: "retriever", file: reader, message: /trained a generator alone/ }
  await assert.rejects(exported({ run: reader, target: "node", out }), alone)
  rmSync(reader, { recursive: true })
  assert.ok(existsSync(join(out, "server.js")))
  const files = await exported({ run, target: "page", dtype: "fp32", out })
  assert.ok(files.some(({ path }) => path === "run/retriever/model.safetensors"))
  assert.ok(!existsSync(join(out, "server.js")))
  assert.match(readFileSync(join(out, "index.html"), "utf8"), /type="module"><\/script>\n<script src="page\.js" defer>/)
  assert.deepEqual(
    readdirSync(folder).filter((name) => name !== "run" && name !== "node"),
    [],
  )
})
