import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { makeProgress } from "../Progress.ts"
import { json, quiet } from "./OutputFlags.ts"
import { device, openRun, runFolder, wholeNumber } from "./RunFlags.ts"

const k = wholeNumber("k", "passages for each question (default 5)").pipe(Flag.withDefault(5))
const questions = Argument.String("question").pipe(
  Argument.withDescription("a question; several may follow one another"),
  Argument.atLeast(1),
)

/** `tandem dpr search` */
export const dprSearch = Command.make(
  "search",
  { run: runFolder, k, device, json, quiet, questions },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, ...options }) {
    yield* openRun(options.run)
    const { searchDpr } = yield* Effect.promise(() => import("@tandem/dpr"))
    const progress = makeProgress({ stream: process.stderr, quiet: silent })
    const found = yield* searchDpr(options, {
      observe: (event) => Effect.sync(() => progress.observe(event)),
    }).pipe(Effect.ensuring(Effect.sync(progress.end)))
    const single = options.questions.length === 1
    for (const [index, question] of options.questions.entries()) {
      const results = found[index] ?? []
      if (machine) {
        printJson(single ? { results } : { query: question, results })
        continue
      }
      if (!single) printLine(`${index === 0 ? "" : "\n"}${question}`)
      for (const [place, { id, title, text, score }] of results.entries()) {
        const head = [`${place + 1}.`, score.toFixed(3), id, ...(title === undefined ? [] : [title])].join("  ")
        printLine(plain(`${head}\n    ${text}`))
      }
    }
  }),
).pipe(
  Command.withDescription("Ask a trained retriever"),
  Command.withExamples([
    { command: 'tandem dpr search --run run -k 5 "When did the Wright brothers fly?"', description: "Find passages" },
  ]),
)

/** Passages may hold any character, also those that steer a terminal. */
const plain = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "")
