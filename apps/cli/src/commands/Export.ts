import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { quantity } from "../ProgressText.ts"
import { table } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json } from "./OutputFlags.ts"
import { openRun, optional, runFolder } from "./RunFlags.ts"

const flags = {
  run: runFolder,
  store: optional("store", "DIR", "another index that the run's passage encoder made"),
  retriever: optional("retriever", "RUN", "a run whose retriever and index are taken, where the run has none"),
  target: Flag.Literals("target", ["node", "deno", "workers", "page"]).pipe(
    Flag.withDescription(
      "node: a server and a Dockerfile; deno: Deno, Deno Deploy and Vercel; workers: Cloudflare; page: files that a browser runs",
    ),
  ),
  dtype: Flag.Literals("dtype", ["q8", "q4", "fp32"]).pipe(
    Flag.withDescription("how weights are stored: in 8 bits, in 4 where the run has such, or in floats (default q8)"),
    Flag.withDefault("q8" as const),
  ),
  out: Flag.String("out").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("a new folder, or an earlier export, which is replaced"),
  ),
  json,
}

/** `tandem export` */
export const exportCommand = Command.make(
  "export",
  flags,
  Effect.fnUntraced(function* ({ json: machine, run, store, retriever, ...settings }) {
    yield* openRun(retriever ?? run)
    const [{ exportRun }, { layer }] = yield* Effect.promise(() =>
      Promise.all([import("@tandem/edge/node/ExportRun"), import("@tandem/runtime/node/NodeRuntime")]),
    )
    const files = yield* exportRun({ run, ...settings, ...withoutAbsent({ store, retriever }) }).pipe(
      Effect.provide(layer({ device: "cpu" })),
    )
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    if (machine) return printJson({ out: settings.out, bytes, files })
    printLine(table([...files, { path: "all", bytes }].map((file) => [file.path, quantity(file.bytes)])))
  }),
).pipe(
  Command.withDescription("Write the smallest folder that serves a finished run somewhere else"),
  Command.withExamples([
    { command: "tandem export --run joint --target node --out server", description: "A server with a Dockerfile" },
    { command: "tandem export --run joint --target workers --out worker", description: "For Cloudflare Workers" },
  ]),
)
