import { fileURLToPath } from "node:url"
import { openRag } from "@tandem/rag/node/OpenRag"
import { Effect } from "effect"
import { makeHandler } from "../Handler.ts"
import { optionsFrom } from "../web/EnvironmentOptions.ts"
import { listen } from "./Listen.ts"

/**
 * Serves an exported run until SIGINT or SIGTERM: what a program that stands alone does. `HOST` and `PORT` say where, 127.0.0.1
 * and 8080 where absent; `TANDEM_API_KEY`, `TANDEM_NAME` and `TANDEM_ORIGINS` are as `optionsFrom` says.
 */
export const serveFolder = async (run: URL): Promise<void> => {
  const { HOST: host = "127.0.0.1", PORT: port = "8080" } = process.env
  const rag = await openRag(fileURLToPath(run))
  const handler = makeHandler(
    rag,
    optionsFrom((name) => process.env[name]),
  )
  const server = await Effect.runPromise(listen(handler.fetch, { host, port: Number(port) }))
  console.log(JSON.stringify({ event: "listening", url: server.url }))
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve())
    process.once("SIGTERM", () => resolve())
  })
  await handler.close()
  await server.close()
  await rag.close()
}
