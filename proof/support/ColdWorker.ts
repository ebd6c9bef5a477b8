// A worker in Cloudflare's runtime, in a process of its own that has answered nothing yet.
import { spawn } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { freePort } from "../../test/support/Exported.ts"

export interface ColdWorker {
  readonly ask: (request: {
    readonly path: string
    readonly body?: string
  }) => Promise<{ readonly milliseconds: number; readonly text: string }>
  /** Most memory of the process so far, MiB. */
  readonly memory: () => number
  readonly end: () => Promise<void>
}

const config = (assets: string, port: number): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "assets", disk = (path = "${assets}"))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js"), (name = "ort.wasm", wasm = embed "ort.wasm")],
  compatibilityDate = "2026-09-01",
  bindings = [(name = "ASSETS", service = "assets")]
);
`

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })

/** Starts the worker of a folder (`worker.js`, `ort.wasm`) beside assets; it listens when this resolves, and nothing was asked. */
export const startWorker = async (
  program: string,
  { folder, assets }: { readonly folder: string; readonly assets: string },
): Promise<ColdWorker> => {
  const port = await freePort()
  writeFileSync(join(folder, "config.capnp"), config(assets, port))
  const child = spawn(program, ["serve", "config.capnp"], { cwd: folder, stdio: ["ignore", "inherit", "inherit"] })
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()))
  while (!(await isOpen(port))) {
    if (child.exitCode !== null) throw new Error("the worker's process ended")
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return {
    ask: async ({ path, body }) => {
      const began = performance.now()
      const init = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body }
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
      const text = await response.text()
      if (response.status !== 200) throw new Error(`status ${response.status}: ${text}`)
      return { milliseconds: performance.now() - began, text }
    },
    memory: () =>
      Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1024,
    end: async () => {
      child.kill("SIGKILL")
      await ended
    },
  }
}
