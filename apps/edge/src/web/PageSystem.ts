import { openRag } from "@tandem/rag/web/OpenRag"
import type { Handler } from "../Handler.ts"
import { lazyHandler } from "../LazyHandler.ts"

/** The run that lies beside a page, answering within it: the page asks this function in place of a server. */
export const pageSystem = (page: URL): Handler["fetch"] =>
  lazyHandler(
    async () => {
      const wasm = await fetch(new URL("ort.wasm", page))
      return openRag(new URL("run", page), { wasmModule: await WebAssembly.compile(await wasm.arrayBuffer()) })
    },
    { limits: { seconds: 3600 } },
  )
