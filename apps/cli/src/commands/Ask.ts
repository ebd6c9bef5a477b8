import type { JointAnswer } from "@tandem/joint"
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { plain, printJson, printLine } from "../Console.ts"
import { FlagWithoutEffect } from "../Errors.ts"
import { observing } from "../Progress.ts"
import { askedQuestions, noQuestion, readQuestions } from "../Questions.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { device, maybe, openRun, optional, questionsFile, runFolder, threads, wholeNumber } from "./RunFlags.ts"

const k = maybe(wholeNumber("k", "passages that are read for a question (default: as in the run's evaluations)"))
const decoding = maybe(
  Flag.Literals("decoding", ["token", "fast", "thorough", "draw"]).pipe(
    Flag.withDescription(
      "token: each token from all passages; fast, thorough: the likeliest of what each passage answers; draw: from one that is drawn (default: as the run was trained, token or fast)",
    ),
  ),
)
const beams = maybe(wholeNumber("beams", "beam search over so many beginnings (default 1)"))
const seed = maybe(
  Flag.Int("seed").pipe(
    Flag.withMetavar("N"),
    Flag.withDescription("decides which passage --decoding draw draws (default 0)"),
  ),
)
const store = optional(
  "store",
  "DIR",
  "another index that the run's passage encoder made: new knowledge without training",
)
const given = Argument.String("question").pipe(
  Argument.withDescription("a question; several may follow one another. Without any, they are read, one a line"),
  Argument.atLeast(0),
)

/** `tandem ask` */
export const askCommand = Command.make(
  "ask",
  { run: runFolder, store, k, decoding, beams, seed, questions: questionsFile, device, threads, json, quiet, given },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, given: words, questions: file, ...options }) {
    yield* openRun(options.run)
    if (words.length > 0 && file !== undefined) {
      return yield* idle("--questions", "beside questions among the arguments")
    }
    if (options.seed !== undefined && options.decoding !== "draw")
      return yield* idle("--seed", "without --decoding draw")
    if (options.beams !== undefined && (options.decoding ?? "draw") === "draw") {
      return yield* idle("--beams", "without --decoding token, fast or thorough")
    }
    const known = file === undefined ? words : yield* readQuestions(file)
    const { openAsk } = yield* Effect.promise(() => import("@tandem/joint"))
    const { layer } = yield* Effect.promise(() => import("@tandem/runtime/node/NodeRuntime"))
    const { observe, end } = observing(silent)
    const asked = withoutAbsent({ k: options.k, decoding: decodingOf(options) })
    return yield* Effect.gen(function* () {
      const ask = yield* openAsk({ run: options.run, ...withoutAbsent({ store: options.store }) }, { observe }).pipe(
        Effect.ensuring(end),
      )
      if (known.length > 0) {
        const answers = yield* ask(known, asked)
        for (const [index, question] of known.entries()) {
          if (index > 0 && !machine) printLine("")
          print(answers[index]!, machine, words.length === 1 ? undefined : question)
        }
        return
      }
      // Who reads along in a terminal has just typed the question.
      const prompted = process.stdin.isTTY === true && !machine
      let count = 0
      yield* askedQuestions().pipe(
        Stream.runForEach((question) =>
          Effect.map(ask([question], asked), ([answer]) => {
            count++
            print(answer!, machine, prompted ? undefined : question)
            if (!machine) printLine("")
          }),
        ),
      )
      if (count === 0 && process.stdin.isTTY !== true) return yield* noQuestion()
    }).pipe(
      Effect.scoped,
      Effect.provide(layer({ device: options.device, ...withoutAbsent({ threads: options.threads }) })),
    )
  }),
).pipe(
  Command.withDescription("Answer questions with a retriever and a language model that were trained together"),
  Command.withExamples([
    { command: 'tandem ask --run joint "Where does snow fall?"', description: "An answer with its sources" },
    { command: "tandem ask --run joint --store news", description: "From another index, one question after the other" },
    { command: "tandem ask --run joint --json < questions.txt", description: "A line of JSON for each question" },
  ]),
)

interface Choice {
  readonly decoding: "token" | "fast" | "thorough" | "draw" | undefined
  readonly beams: number | undefined
  readonly seed: number | undefined
}

const decodingOf = ({ decoding: kind, beams: count, seed: drawn }: Choice) => {
  const searched = withoutAbsent({ beams: count })
  if (kind === undefined) return undefined
  if (kind === "token") return { kind, ...searched } as const
  if (kind === "draw") return { kind, ...withoutAbsent({ seed: drawn }) } as const
  return { kind: "sequence", search: kind, ...searched } as const
}

const idle = (flag: string, because: string): FlagWithoutEffect =>
  new FlagWithoutEffect({ message: `${flag} has no effect ${because}`, field: flag, hint: "leave one of the two out" })

const print = (answer: JointAnswer, machine: boolean, question: string | undefined): void => {
  if (machine) {
    printJson(question === undefined ? answer : { query: question, ...answer })
    return
  }
  if (question !== undefined) printLine(plain(question))
  const { logprob } = answer.confidence
  printLine(plain(`${answer.answer === "" ? "(nothing)" : answer.answer}   p ${Math.exp(logprob).toPrecision(2)}`))
  for (const { id, title, text, weight, prior } of answer.sources) {
    const head = [
      `weight ${weight.toFixed(2)}`,
      `found ${prior.toFixed(2)}`,
      id,
      ...(title === undefined ? [] : [title]),
    ]
    printLine(plain(`  ${head.join("  ")}\n    ${text}`))
  }
}
