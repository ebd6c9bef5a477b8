import { filesAt } from "@tandem/files"
import { openRag } from "@tandem/rag/web/OpenRag"
import { lazyHandler } from "../LazyHandler.ts"
import { optionsFrom } from "./EnvironmentOptions.ts"

/** What a worker of Cloudflare's is given: the run's files as static assets, and what `optionsFrom` reads. */
export interface WorkerEnvironment {
  readonly ASSETS: { readonly fetch: (url: string, init: RequestInit) => Promise<Response> }
  readonly [name: string]: unknown
}

/** What is used of a request's context. */
export interface WorkerContext {
  readonly waitUntil: (work: Promise<unknown>) => void
}

/**
 * A worker for Cloudflare's platform that serves the run among its assets, in WebAssembly that was imported as a module. It is
 * opened by the first request of an isolate.
 */
export const makeWorker = (wasmModule: WebAssembly.Module) => {
  let fetch: ((request: Request) => Promise<Response>) | undefined
  return {
    fetch: (request: Request, env: WorkerEnvironment, context: WorkerContext): Promise<Response> => {
      fetch ??= lazyHandler(
        () =>
          openRag(filesAt("https://assets.local/run", { fetch: (url, init) => env.ASSETS.fetch(url, init) }), {
            wasmModule,
            index: "later",
          }),
        optionsFrom((name) => env[name]),
      )
      const answer = fetch(request)
      // What others wait for, too, goes on when this client has gone.
      context.waitUntil(answer.catch(() => {}))
      return answer
    },
  }
}
