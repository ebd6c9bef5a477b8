import * as Context from "effect/Context"
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { noteLine } from "../Console.ts"
import { listen } from "../Interrupt.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { quiet } from "./OutputFlags.ts"
import { device, maybe, openRun, optional, runFolder, threads, wholeNumber } from "./RunFlags.ts"

const flags = {
  run: runFolder,
  store: optional("store", "DIR", "another index that the run's passage encoder made"),
  retriever: optional("retriever", "RUN", "a run whose retriever and index are searched, where the run has none"),
  k: maybe(wholeNumber("k", "passages that are found for a question (default: as in the run's evaluations)")),
  name: Flag.String("name").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("what the server says it is called (default tandem)"),
    Flag.withDefault("tandem"),
  ),
  device,
  threads,
  quiet,
}

/** `tandem mcp` */
export const mcpCommand = Command.make(
  "mcp",
  flags,
  Effect.fnUntraced(function* ({ run, name, quiet: silent, device: place, ...options }) {
    const { retriever, store, k } = options
    yield* openRun(retriever ?? run)
    const [{ layerRun }, { serveTools }, { clientOf, Rag }] = yield* Effect.promise(() =>
      Promise.all([import("@tandem/rag/node/OpenRag"), import("@tandem/rag/node/ServeTools"), import("@tandem/rag")]),
    )
    const interrupts = yield* listen({ waits: () => false, announce: () => {} })
    yield* Effect.gen(function* () {
      const opened = withoutAbsent({ store, retriever, k, threads: options.threads })
      const rag = clientOf(Context.get(yield* Layer.build(layerRun(run, { device: place, ...opened })), Rag))
      if (!silent) noteLine("answers requests of the Model Context Protocol on standard input")
      yield* Effect.race(serveTools(rag, { name }), interrupts.ended)
    }).pipe(Effect.scoped)
  }),
).pipe(
  Command.withDescription("Offer a finished run to assistants as tools, over the Model Context Protocol"),
  Command.withExamples([
    { command: "tandem mcp --run joint", description: "Started by an assistant, which speaks on standard input" },
  ]),
)
