import type { Limits, RequestLine } from "@tandem/edge"
import * as Context from "effect/Context"
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { noteLine, printJson } from "../Console.ts"
import { listen as listenToInterrupts } from "../Interrupt.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { device, maybe, openRun, optional, runFolder, threads, wholeNumber } from "./RunFlags.ts"

const flags = {
  run: runFolder,
  store: optional("store", "DIR", "another index that the run's passage encoder made"),
  retriever: optional("retriever", "RUN", "a run whose retriever and index are searched, where the run has none"),
  k: maybe(wholeNumber("k", "passages that are read for a question (default: as in the run's evaluations)")),
  host: Flag.String("host").pipe(
    Flag.withMetavar("HOST"),
    Flag.withDescription("address to listen on (default 127.0.0.1: this machine alone can ask)"),
    Flag.withDefault("127.0.0.1"),
  ),
  port: Flag.Int("port").pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("port to listen on; 0 takes a free one (default 8080)"),
    Flag.filter(
      (value) => value >= 0 && value <= 65_535,
      (value) => `a whole number from 0 to 65535, not ${value}`,
    ),
    Flag.withDefault(8080),
  ),
  apiKeyEnv: optional("api-key-env", "NAME", "environment variable with the key that requests have to bring"),
  name: Flag.String("name").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("what clients call the model (default tandem)"),
    Flag.withDefault("tandem"),
  ),
  origins: Flag.String("origin").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("origin whose pages may ask; may be given several times (default: none)"),
    Flag.atLeast(0),
  ),
  allowHosts: Flag.String("allow-host").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription(
      "name under which it may be asked, beside localhost's own; may be given several times (default: on this machine alone without a key none, else any)",
    ),
    Flag.atLeast(0),
  ),
  page: Flag.Boolean("page").pipe(Flag.withDescription("a page to ask in at /"), Flag.withDefault(true)),
  maxBody: maybe(wholeNumber("max-body", "bytes of a request (default 1048576)")),
  maxRequests: maybe(
    wholeNumber("max-requests", "requests that are read, wait or run; more are refused (default 256)"),
  ),
  maxRunning: maybe(wholeNumber("max-running", "requests that run at once (default 32)")),
  timeout: maybe(wholeNumber("timeout", "seconds within which an answer has to be complete (default 120)")),
  device,
  threads,
  json,
  quiet,
}

/** `tandem serve` */
export const serveCommand = Command.make(
  "serve",
  flags,
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, run, host, port, ...options }) {
    const { retriever } = options
    yield* openRun(retriever ?? run)
    const [{ makeHandler }, { keyFrom }, { listen }, { layerRun }, { clientOf, Rag }] = yield* Effect.promise(() =>
      Promise.all([
        import("@tandem/edge"),
        import("@tandem/edge/node/KeyFrom"),
        import("@tandem/edge/node/Listen"),
        import("@tandem/rag/node/OpenRag"),
        import("@tandem/rag"),
      ]),
    )
    const apiKey = options.apiKeyEnv === undefined ? undefined : yield* keyFrom(options.apiKeyEnv)
    const tell = (event: string, text: string, more: object = {}): void => {
      if (machine) printJson({ event, ...more })
      if (!silent && !machine) noteLine(text)
    }
    const interrupts = yield* listenToInterrupts({
      waits: () => false,
      announce: () => tell("stopping", "stops when what runs has ended; once more ends it now"),
    })
    yield* Effect.gen(function* () {
      const opened = withoutAbsent({ store: options.store, retriever, k: options.k, threads: options.threads })
      const context = yield* Layer.build(layerRun(run, { device: options.device, ...opened }))
      const { name, origins, page } = options
      const observe = (line: RequestLine): void => tell("request", textOf(line), line)
      const handler = makeHandler(clientOf(Context.get(context, Rag)), {
        ...{ name, origins, page, observe, limits: limitsOf(options) },
        ...withoutAbsent({ apiKey, hosts: hostsOf(host, options.allowHosts, apiKey) }),
      })
      const server = yield* listen(handler.fetch, { host, port })
      tell("listening", `listens on ${server.url}`, { url: server.url })
      if (apiKey === undefined && !isLoopback(host))
        tell("warning", `whoever reaches ${host} may ask: --api-key-env asks for a key`, {
          message: "no key is asked for",
        })
      yield* interrupts.ended
      yield* Effect.promise(() => handler.close())
      yield* Effect.promise(() => server.close())
      tell("stopped", "stopped")
    }).pipe(Effect.scoped)
  }),
).pipe(
  Command.withDescription(
    "Serve a finished run over HTTP: answers with sources, embeddings, OpenAI's interface, a page",
  ),
  Command.withExamples([
    { command: "tandem serve --run joint", description: "On this machine alone, with a page to ask in" },
    {
      command: "tandem serve --run joint --store news --host 0.0.0.0 --api-key-env TANDEM_KEY",
      description: "For others, who have to bring the key, from another index",
    },
  ]),
)

const limitsOf = (options: {
  readonly maxBody: number | undefined
  readonly maxRequests: number | undefined
  readonly maxRunning: number | undefined
  readonly timeout: number | undefined
}): Partial<Limits> =>
  withoutAbsent({
    bodyBytes: options.maxBody,
    requests: options.maxRequests,
    running: options.maxRunning,
    seconds: options.timeout,
  })

/**
 * Names under which a server may be asked. Without a key one on this machine is asked under this machine's names alone: a page in
 * a browser here, whose own name was made to lead here, must not reach it.
 */
const hostsOf = (
  host: string,
  allowed: readonly string[],
  apiKey: string | undefined,
): readonly string[] | undefined =>
  allowed.length > 0 || (isLoopback(host) && apiKey === undefined)
    ? ["localhost", "127.0.0.1", "::1", host, ...allowed]
    : undefined

const isLoopback = (host: string): boolean => /^(127\.[\d.]+|::1|localhost)$/.test(host)

const textOf = ({ method, route, status, seconds, fault }: RequestLine): string =>
  `${method} ${route} ${status} ${seconds.toFixed(3)} s${fault === undefined ? "" : ` ${fault}`}`
