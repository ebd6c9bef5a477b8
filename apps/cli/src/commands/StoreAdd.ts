import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { observing } from "../Progress.ts"
import { quantity } from "../ProgressText.ts"
import { leftTable } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { device, maybe, modelFlags, optional, runOrModels, sourceOf, threads, wholeNumber } from "./RunFlags.ts"

const folder = Argument.String("dir").pipe(Argument.withDescription("a folder of documents"))
const store = optional("store", "DIR", "folder of the index (default: the run's own index)")
const chunkSize = maybe(
  wholeNumber("chunk-size", "most tokens of a passage (default: as before, at first as a corpus)"),
)
const overlap = maybe(
  Flag.Int("overlap").pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("tokens that a passage repeats of the one before (default: as before, at first 0)"),
  ),
)

/** `tandem store add` */
export const storeAdd = Command.make(
  "add",
  { folder, run: runOrModels, ...modelFlags, store, chunkSize, overlap, device, threads, json, quiet },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, ...flags }) {
    const { folder: documents, store: index, chunkSize: size, overlap: shared, device: place, threads: count } = flags
    const { run, model, queryEncoder, passageEncoder, maxLength, similarity, titles } = flags
    const encodes = yield* sourceOf({ run, model, queryEncoder, passageEncoder, maxLength, similarity, titles })
    const { addDocuments } = yield* Effect.promise(() => import("@tandem/dpr"))
    const { observe, end } = observing(silent)
    const given = withoutAbsent({ store: index, chunkSize: size, overlap: shared, threads: count })
    const settings = { ...encodes, folder: documents, device: place, ...given }
    const added = yield* Effect.ensuring(addDocuments(settings, { observe }), end)
    if (machine) return printJson(added)
    printLine(
      leftTable([
        ["files read", quantity(added.read)],
        ["unchanged", quantity(added.unchanged)],
        ["gone", quantity(added.removed)],
        ["skipped", quantity(added.skipped)],
        ["encoded", quantity(added.encoded)],
        ["left", quantity(added.left)],
        ["passages", quantity(added.passages)],
        ["index", added.store],
      ]),
    )
  }),
).pipe(
  Command.withDescription("Bring an index to what a folder of documents holds; what did not change is not read again"),
  Command.withExamples([
    { command: "tandem store add notes --run run", description: "To the run's own index" },
    { command: "tandem store add notes --run run --store notes-index", description: "Beside it" },
  ]),
)
