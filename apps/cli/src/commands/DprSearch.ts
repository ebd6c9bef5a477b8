import type { FoundPassage } from "@tandem/dpr/SearchDpr"
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { plain, printJson, printLine } from "../Console.ts"
import { FlagWithoutEffect } from "../Errors.ts"
import { observing } from "../Progress.ts"
import { askedQuestions, noQuestion, readQuestions } from "../Questions.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { device, openRun, optional, questionsFile, runFolder, threads, wholeNumber } from "./RunFlags.ts"

const k = wholeNumber("k", "passages for each question (default 5)").pipe(Flag.withDefault(5))
const store = optional("store", "DIR", "an index of tandem dpr index --out (default: the run's own)")
const given = Argument.String("question").pipe(
  Argument.withDescription("a question; several may follow one another. Without any, they are read, one a line"),
  Argument.atLeast(0),
)

/** `tandem dpr search` */
export const dprSearch = Command.make(
  "search",
  { run: runFolder, store, k, questions: questionsFile, device, threads, json, quiet, given },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, given: words, questions: file, ...options }) {
    yield* openRun(options.run)
    if (words.length > 0 && file !== undefined) {
      return yield* new FlagWithoutEffect({
        message: "--questions has no effect beside questions among the arguments",
        field: "--questions",
        hint: "leave one of the two out",
      })
    }
    const known = file === undefined ? words : yield* readQuestions(file)
    const { openSearch } = yield* Effect.promise(() => import("@tandem/dpr"))
    const { layer } = yield* Effect.promise(() => import("@tandem/runtime/node/NodeRuntime"))
    const { observe, end } = observing(silent)
    const searched = { run: options.run, ...withoutAbsent({ store: options.store }) }
    return yield* Effect.gen(function* () {
      const search = yield* openSearch(searched, { observe }).pipe(Effect.ensuring(end))
      if (known.length > 0) {
        const found = yield* search(known, options.k)
        const single = words.length === 1
        for (const [index, question] of known.entries()) {
          if (index > 0 && !machine) printLine("")
          print(found[index] ?? [], machine, single ? undefined : question)
        }
        return
      }
      // Who reads along in a terminal has just typed the question.
      const prompted = process.stdin.isTTY === true && !machine
      let asked = 0
      yield* askedQuestions().pipe(
        Stream.runForEach((question) =>
          Effect.map(search([question], options.k), ([found = []]) => {
            asked++
            print(found, machine, prompted ? undefined : question)
            if (!machine) printLine("")
          }),
        ),
      )
      if (asked === 0 && process.stdin.isTTY !== true) return yield* noQuestion()
    }).pipe(
      Effect.scoped,
      Effect.provide(layer({ device: options.device, ...withoutAbsent({ threads: options.threads }) })),
    )
  }),
).pipe(
  Command.withDescription("Ask a trained retriever: questions as arguments, from a file, or as they come"),
  Command.withExamples([
    { command: 'tandem dpr search --run run -k 5 "When did the Wright brothers fly?"', description: "Find passages" },
    { command: "tandem dpr search --run run", description: "Ask one question after the other" },
    { command: "tandem dpr search --run run --json < questions.txt", description: "A line of JSON for each question" },
  ]),
)

const print = (results: readonly FoundPassage[], machine: boolean, question: string | undefined): void => {
  if (machine) {
    printJson(question === undefined ? { results } : { query: question, results })
    return
  }
  if (question !== undefined) printLine(plain(question))
  for (const [place, { id, title, text, score }] of results.entries()) {
    const head = [`${place + 1}.`, score.toFixed(3), id, ...(title === undefined ? [] : [title])].join("  ")
    printLine(plain(`${head}\n    ${text}`))
  }
}
