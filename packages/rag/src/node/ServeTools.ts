import type { Readable, Writable } from "node:stream"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
import { Effect } from "effect"
import { type ToolServerOptions, toolServer } from "../mcp.ts"
import type { RagClient } from "../RagClient.ts"

/** Who a server says that it is, and where requests come from. */
export interface ServeToolsOptions extends ToolServerOptions {
  /** Standard input where absent. */
  readonly input?: Readable
  /** Standard output where absent, which nothing else may write to then. */
  readonly output?: Writable
}

/** Serves a system as tools (`toolServer`) over standard input and output, until the input ends. */
export const serveTools = (
  rag: RagClient,
  { input = process.stdin, output = process.stdout, ...options }: ServeToolsOptions = {},
): Effect.Effect<void> =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const server = toolServer(rag, options)
      const ended = new Promise<void>((resolve) => {
        input.once("end", resolve)
        input.once("close", resolve)
      })
      await server.connect(new StdioServerTransport(input, output))
      return { server, ended }
    }),
    ({ ended }) => Effect.promise(() => ended),
    ({ server }) => Effect.promise(() => server.close()),
  )
