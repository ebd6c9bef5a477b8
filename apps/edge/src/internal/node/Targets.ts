import { copyFile, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { pageFiles, standalonePage } from "../../page/Page.ts"
import { bundle } from "./Bundle.ts"

/** Where an export runs. */
export type Target = "node" | "deno" | "workers" | "page"

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** Its WebAssembly is copied, not loaded. */
const webRuntime = "onnxruntime-web"

/** What servers never load: they have no GPU. */
const onPagesAlone = [`${webRuntime}/webgpu`]

const wasm = (folder: string): Promise<void> =>
  copyFile(fileURLToPath(import.meta.resolve(`${webRuntime}/ort-wasm-simd-threaded.wasm`)), join(folder, "ort.wasm"))

const versionOf = (name: string): string => {
  const manifest: unknown = createRequire(import.meta.url)(`${name}/package.json`)
  return typeof manifest === "object" && manifest !== null ? String(Reflect.get(manifest, "version")) : ""
}

const dockerfile = `FROM node:24-slim
WORKDIR /app
COPY . .
RUN ONNXRUNTIME_NODE_INSTALL=skip npm install --omit=dev && chown -R node /app
USER node
ENV HOST=0.0.0.0 PORT=8080
EXPOSE 8080
HEALTHCHECK CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1))"]
CMD ["node", "server.js"]
`

/** Writes the programs and settings of a target beside the folder `run`. */
export const writeTarget: Readonly<Record<Target, (folder: string) => Promise<void>>> = {
  node: async (folder) => {
    const native = ["onnxruntime-node", "usearch"]
    const serve = `import { serveFolder } from "@tandem/edge/node/ServeFolder"
await serveFolder(new URL("./run", import.meta.url))`
    await bundle(join(folder, "server.js"), { source: serve, platform: "node", external: native })
    // The thread that computes.
    const computes = fileURLToPath(import.meta.resolve("@tandem/runtime/node/worker"))
    await bundle(join(folder, "worker.js"), { source: { file: computes }, platform: "node", external: native })
    const manifest = {
      private: true,
      type: "module",
      scripts: { start: "node server.js" },
      dependencies: { "onnxruntime-node": versionOf("onnxruntime-node") },
    }
    await writeFile(join(folder, "package.json"), json(manifest))
    await writeFile(join(folder, "Dockerfile"), dockerfile)
    await writeFile(join(folder, ".dockerignore"), "node_modules\n")
  },
  deno: async (folder) => {
    const source = `import { serveOnWasm } from "@tandem/edge/node/ServeOnWasm"
export default { fetch: serveOnWasm(new URL("./run", import.meta.url), new URL("./ort.wasm", import.meta.url)) }`
    await bundle(join(folder, "main.js"), { source, platform: "node", external: onPagesAlone })
    await wasm(folder)
    await writeFile(
      join(folder, "deno.json"),
      json({ tasks: { start: "deno serve --allow-read --allow-env main.js" } }),
    )
    // Vercel takes the same module for a function.
    await writeFile(join(folder, "vercel.json"), json(vercel))
    await writeFile(join(folder, "package.json"), json({ private: true, type: "module" }))
  },
  workers: async (folder) => {
    const source = `import { makeWorker } from "@tandem/edge/web/Worker"
import wasm from "./ort.wasm"
export default makeWorker(wasm)`
    await bundle(join(folder, "worker.js"), {
      source,
      platform: "browser",
      before: beyondRequests,
      external: ["./ort.wasm", ...onPagesAlone],
    })
    await wasm(folder)
    await writeFile(join(folder, "wrangler.jsonc"), json(wrangler))
    await writeFile(join(folder, ".assetsignore"), "*\n!run\n!run/**\n")
  },
  page: async (folder) => {
    const source = `import { pageSystem } from "@tandem/edge/web/PageSystem"
globalThis.tandem = pageSystem(new URL(".", import.meta.url))`
    await bundle(join(folder, "system.js"), { source, platform: "browser" })
    await wasm(folder)
    for (const [name, { content }] of Object.entries(pageFiles))
      await writeFile(join(folder, name), name === "index.html" ? standalonePage("system.js") : content)
  },
}

/**
 * A worker's timers, and what remembers a request's asynchronous context, end with that request. What several requests share
 * goes on without: Effect takes its turns by `setImmediate`, and keeps contexts by `node:async_hooks`, where there are such when
 * it is loaded.
 */
const beyondRequests = `Object.defineProperty(globalThis.process ?? {}, "getBuiltinModule", { value: undefined });
globalThis.setImmediate = (f) => { const turn = { f }; queueMicrotask(() => turn.f?.()); return turn };
globalThis.clearImmediate = (turn) => { turn.f = undefined };`

const vercel = {
  functions: { "main.js": { includeFiles: "{run/**,ort.wasm}", memory: 2048, maxDuration: 60 } },
  rewrites: [{ source: "/(.*)", destination: "/main.js" }],
}

const wrangler = {
  name: "tandem",
  main: "worker.js",
  no_bundle: true,
  compatibility_date: "2026-09-01",
  rules: [{ type: "CompiledWasm", globs: ["**/*.wasm"], fallthrough: true }],
  // The worker comes first, so that nobody reads the run's files past it.
  assets: { directory: ".", binding: "ASSETS", run_worker_first: true },
}
