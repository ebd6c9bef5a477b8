import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { filesIn } from "@tandem/files/node/FilesIn"
import { openRag } from "@tandem/rag/web/OpenRag"
import type { Handler } from "../Handler.ts"
import { lazyHandler } from "../LazyHandler.ts"
import { optionsFrom } from "../web/EnvironmentOptions.ts"

/**
 * A function from requests to responses over an exported run in WebAssembly, for platforms that have files and no native modules:
 * Deno Deploy, Vercel. The run is opened by the first request; variables are as `optionsFrom` says.
 */
export const serveOnWasm = (run: URL, wasm: URL): Handler["fetch"] =>
  lazyHandler(
    async () => {
      const wasmModule = await WebAssembly.compile(await readFile(wasm))
      return openRag(filesIn(fileURLToPath(run)), { wasmModule, index: "later" })
    },
    optionsFrom((name) => process.env[name]),
  )
