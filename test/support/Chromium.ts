import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import { basename, join } from "node:path"
import { build } from "esbuild"
import { chromium } from "playwright-core"
import { root } from "../../scripts/support/Workspace.ts"
import { chromiumProgram } from "./SwiftShader.ts"

/** A page in a headless Chromium that has run the bundle of a module. */
export interface Page {
  /** Calls a function of `globalThis.tandem` in the page. */
  readonly call: (name: string, ...values: readonly string[]) => Promise<unknown>
  /** What the page printed and threw so far. */
  readonly printed: readonly string[]
  readonly close: () => Promise<void>
}

/** WebGPU on a software device, whatever the machine has. */
const flags = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-unsafe-swiftshader",
]

const types: Readonly<Record<string, string>> = {
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
}

/** Bundles a module of this folder for browsers, serves it with onnxruntime-web's WebAssembly and opens a page on it. */
export const openPage = async (module: string): Promise<Page> => {
  const bundle = await build({
    entryPoints: [join(import.meta.dirname, module)],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    absWorkingDir: root,
  })
  const server = createServer(async (request, response) => {
    const name = basename(request.url ?? "/")
    const type = types[name.split(".").at(-1) ?? ""] ?? "text/html"
    const answer = async () => {
      if (name === "") return "<!doctype html><title>tandem</title><script type=module src=bundle.js></script>"
      if (name === "bundle.js") return bundle.outputFiles[0]?.contents ?? ""
      return readFile(join(root, "node_modules/onnxruntime-web/dist", name))
    }
    await answer().then(
      (content) => response.setHeader("content-type", type).end(content),
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the server has no port")
  const browser = await chromium.launch({ executablePath: chromiumProgram(), args: flags })
  const page = await browser.newPage()
  const printed: string[] = []
  page.on("console", (message) => printed.push(message.text()))
  page.on("pageerror", (error) => printed.push(error.message))
  await page.goto(`http://127.0.0.1:${address.port}/`)
  await page.waitForFunction("globalThis.tandem !== undefined").catch((cause: unknown) => {
    throw new Error(`the page's module did not run: ${printed.join("\n")}`, { cause })
  })
  return {
    call: (name, ...values) => page.evaluate(`tandem[${JSON.stringify(name)}](...${JSON.stringify(values)})`),
    printed,
    close: async () => {
      await browser.close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
