import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { observing } from "../Progress.ts"
import { leftTable } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { corpus, device, format, maybe, optional, threads, wholeNumber } from "./RunFlags.ts"

const data = Flag.String("data").pipe(
  Flag.withMetavar("F"),
  Flag.withDescription("questions with answers; may be repeated"),
  Flag.atLeast(1),
)
const out = Flag.String("out").pipe(Flag.withMetavar("FILE"), Flag.withDescription("the file to write"))
const k = wholeNumber("k", "passages of a question (default 5)").pipe(Flag.withDefault(5))

/** Where passages come from. */
export const passageFlags = {
  passages: maybe(
    Flag.Literals("passages", ["bm25", "retriever", "data"]).pipe(
      Flag.withDescription("what finds passages (default: retriever where one is named, else bm25)"),
    ),
  ),
  retriever: optional("retriever", "RUN", "the run whose trained retriever finds passages"),
  store: optional("store", "DIR", "the index that it searches (default: the run's own)"),
  corpus,
}

/** `tandem ralt prepare` */
export const raltPrepare = Command.make(
  "prepare",
  { data, ...passageFlags, format, k, out, device, threads, json, quiet },
  Effect.fnUntraced(function* ({
    json: machine,
    quiet: silent,
    data: files,
    k: count,
    out: file,
    device: place,
    ...flags
  }) {
    const { prepareRalt } = yield* Effect.promise(() => import("@tandem/dual"))
    const { observe, end } = observing(silent)
    const settings = { data: files, k: count, out: file, device: place, ...withoutAbsent(flags) }
    const counts = yield* Effect.ensuring(prepareRalt(settings, { observe }), end)
    if (machine) return printJson({ ...counts, out: file })
    printLine(
      leftTable([
        ["questions", `${counts.questions}`],
        ["passages", `${counts.passages}`],
        ["gold found", `${counts.goldFound}`],
        ["file", file],
      ]),
    )
  }),
).pipe(
  Command.withDescription("Find the passages of questions once, for training and evaluation"),
  Command.withExamples([
    {
      command:
        "tandem ralt prepare --data train.jsonl --corpus corpus.jsonl --retriever run --k 5 --out prepared.jsonl",
      description: "By a trained retriever",
    },
  ]),
)
