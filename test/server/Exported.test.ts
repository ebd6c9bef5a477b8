// A run exported for Deno and for Cloudflare Workers answers there as its files do on Node.
import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { filesIn } from "@tandem/files/node/FilesIn"
import { openRag } from "@tandem/rag/node/OpenRag"
import { openRag as openOnWeb } from "@tandem/rag/web/OpenRag"
import { smallRun } from "../../packages/rag/test/support/SmallRun.ts"
import { installRuntime, installWorkerd, runtimeEnvironment } from "../../scripts/support/Runtimes.ts"
import { assertServes, exported, freePort, started } from "../support/Exported.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-exported-"))
const run = join(folder, "run")
before(() => smallRun(run))
after(() => rmSync(folder, { recursive: true, force: true }))

test("Deno serves an exported run in WebAssembly", async () => {
  const cwd = join(folder, "deno")
  await exported({ run, target: "deno", out: cwd })
  const url = `http://127.0.0.1:${await freePort()}`
  const args = ["serve", "--host", "127.0.0.1", "--port", new URL(url).port, "--allow-read", "--allow-env", "main.js"]
  const server = await started(await installRuntime("deno"), args, { url, cwd, env: runtimeEnvironment })
  try {
    // Products of 8 bits are rounded otherwise by native kernels.
    await using own = await openOnWeb(filesIn(join(cwd, "run")))
    await assertServes(url, own)
  } finally {
    server.kill()
  }
})

/** What wrangler makes of the folder's settings: a worker, its module of WebAssembly, and the folder as its assets. */
const config = (cwd: string, port: string): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "assets", disk = (path = "${cwd}"))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js"), (name = "ort.wasm", wasm = embed "ort.wasm")],
  compatibilityDate = "2026-09-01",
  bindings = [(name = "ASSETS", service = "assets"), (name = "TANDEM_ORIGINS", text = "https://a.example")]
);
`

test("Cloudflare's runtime serves an exported run, and none of its files", async () => {
  const cwd = join(folder, "workers")
  await exported({ run, target: "workers", dtype: "fp32", out: cwd })
  assert.equal(readFileSync(join(cwd, ".assetsignore"), "utf8"), "*\n!run\n!run/**\n")
  const url = `http://127.0.0.1:${await freePort()}`
  writeFileSync(join(cwd, "config.capnp"), config(cwd, new URL(url).port))
  const server = await started(await installWorkerd(), ["serve", "config.capnp"], { url, cwd })
  try {
    await using own = await openRag(run, { threads: 1 })
    await assertServes(url, own)
    for (const path of ["/run/config.json", "/run/store/manifest.json", "/worker.js"])
      assert.equal((await fetch(url + path)).status, 404, path)
    const streamed = await fetch(`${url}/ask`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: "https://a.example" },
      body: JSON.stringify({ query: "who owns the mill?", stream: true }),
    })
    assert.equal(streamed.headers.get("access-control-allow-origin"), "https://a.example")
    assert.match(await streamed.text(), /event: done/)
  } finally {
    server.kill()
  }
})
