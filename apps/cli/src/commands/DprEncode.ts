import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { FlagWithoutEffect, MissingFlag } from "../Errors.ts"
import { observing } from "../Progress.ts"
import { quantity } from "../ProgressText.ts"
import { readQuestions } from "../Questions.ts"
import { leftTable } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { device, format, modelFlags, optional, questionsFile, runOrModels, sourceOf, threads } from "./RunFlags.ts"

const corpus = optional("corpus", "F|DIR", "passages, or a folder of documents, to encode")
const out = Flag.String("out").pipe(Flag.withMetavar("DIR"), Flag.withDescription("folder for the embeddings"))

/** `tandem dpr encode` */
export const dprEncode = Command.make(
  "encode",
  { run: runOrModels, ...modelFlags, corpus, questions: questionsFile, format, out, device, threads, json, quiet },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, ...flags }) {
    const { corpus: passages, questions, format: name, out: folder, device: place, threads: count, ...source } = flags
    const encodes = yield* sourceOf(source)
    const texts = yield* textsOf(passages, questions, name)
    const { encodeDpr } = yield* Effect.promise(() => import("@tandem/dpr"))
    const { observe, end } = observing(silent)
    const settings = { ...encodes, texts, out: folder, device: place, ...withoutAbsent({ threads: count }) }
    const done = yield* Effect.ensuring(encodeDpr(settings, { observe }), end)
    if (machine) return printJson({ ...done, out: folder })
    printLine(
      leftTable([
        ["texts", quantity(done.texts)],
        ["cut", quantity(done.truncated)],
        ["dimension", quantity(done.dimension)],
        ["embeddings", folder],
      ]),
    )
  }),
).pipe(
  Command.withDescription("Write the embeddings of passages or questions, for other tools"),
  Command.withExamples([
    { command: "tandem dpr encode --run run --corpus corpus.jsonl --out vectors", description: "Passages" },
    { command: "tandem dpr encode --run run --questions questions.txt --out vectors", description: "Questions" },
  ]),
)

const textsOf = Effect.fnUntraced(function* (
  corpusFile: string | undefined,
  questions: string | undefined,
  name: string | undefined,
) {
  if (corpusFile !== undefined && questions === undefined) {
    return { kind: "passage", corpus: corpusFile, ...withoutAbsent({ format: name }) } as const
  }
  if (corpusFile === undefined && questions !== undefined) {
    if (name !== undefined) {
      return yield* new FlagWithoutEffect({
        message: "--format has no effect on questions, which stand one a line",
        field: "--format",
        hint: "leave it out",
      })
    }
    return { kind: "query", questions: yield* readQuestions(questions) } as const
  }
  return yield* new MissingFlag({
    message: corpusFile === undefined ? "no texts are named" : "passages and questions are encoded apart",
    field: "--corpus",
    expected: "either --corpus F or --questions F",
  })
})
