import type { RaltTextFigures } from "@tandem/dual"
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { FlagWithoutEffect, InvalidFlag, MissingFlag } from "../Errors.ts"
import { observing } from "../Progress.ts"
import { figure } from "../ProgressText.ts"
import { metricsTable, table } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { passageFlags } from "./RaltPrepare.ts"
import { device, format, maybe, optional, threads, wholeNumber } from "./RunFlags.ts"

const data = Flag.String("data").pipe(
  Flag.withMetavar("F"),
  Flag.withDescription(
    "questions with answers, a prepared file, or conversations and texts in segments; may be repeated",
  ),
  Flag.atLeast(1),
)
const kEval = Flag.String("k-eval").pipe(
  Flag.withMetavar("N,…"),
  Flag.withDescription("passages in one prompt; several, with commas, are measured one after the other (default 5)"),
  Flag.withDefault("5"),
)
const answers = Flag.Int("answers").pipe(
  Flag.withMetavar("N"),
  Flag.withDescription("questions that answers are written for, 0 for none (default 100)"),
  Flag.withDefault(100),
)
const seed = Flag.Int("seed").pipe(Flag.withDescription("draws random passages (default 0)"), Flag.withDefault(0))
/** Figures of texts with their intervals, a group in a line. */
const textTable = ({ n, success, failed, intervals }: RaltTextFigures): string => {
  const rows = Object.entries({ nll: n, "success.nll": success?.n, "failed.nll": failed?.n })
  return table([
    ["", "rows", "nats a token", "95 %"],
    ...rows.flatMap(([name, count]) => {
      const interval = intervals[name]
      return interval === undefined
        ? []
        : [[name, `${count}`, figure(interval.estimate), `[${figure(interval.low)}, ${figure(interval.high)}]`]]
    }),
  ])
}

/** `tandem ralt eval` */
export const raltEval = Command.make(
  "eval",
  {
    run: optional("run", "RUN", "folder of a finished run that trained a generator"),
    generator: optional("generator", "M", "a model without a run: a folder, a hub id (ID@REVISION)"),
    template: optional("template", "F", "text of prompts (default: that of training, or the model's own)"),
    maxPrompt: maybe(wholeNumber("max-prompt", "longest prompt in tokens")),
    maxAnswer: maybe(wholeNumber("max-answer", "longest answer in tokens, its end included")),
    data,
    ...passageFlags,
    format,
    kEval,
    answers,
    without: optional("without", "RUN", "a run fine-tuned with --closed-book-share 1: says what the data need"),
    seed,
    device,
    threads,
    json,
    quiet,
  },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, run, generator, kEval: asked, ...flags }) {
    const model = run ?? generator
    if (model === undefined) {
      return yield* new MissingFlag({
        message: "no generator is named",
        field: "--run",
        expected: "--run RUN, or --generator M",
      })
    }
    if (run !== undefined && generator !== undefined) {
      return yield* new FlagWithoutEffect({
        message: "--generator has no effect beside --run",
        field: "--generator",
        hint: "leave one of the two out",
      })
    }
    const counts = asked.split(",").map(Number)
    if (counts.some((count) => !Number.isSafeInteger(count) || count < 1)) {
      return yield* new InvalidFlag({
        message: "--k-eval has a wrong value",
        field: "--k-eval",
        expected: "whole numbers, 1 or more, with commas",
        found: asked,
      })
    }
    const { evaluateRalt, evaluateRaltTexts, evaluationKind } = yield* Effect.promise(() => import("@tandem/dual"))
    const { observe, end } = observing(silent)
    const { data: files, answers: written, seed: drawn, device: place, ...rest } = flags
    const settings = {
      generator: model,
      data: files,
      kEval: [...new Set(counts)].sort((a, b) => a - b),
      answers: written,
      seed: drawn,
      device: place,
      ...withoutAbsent(rest),
    }
    if ((yield* evaluationKind(files, "data", flags.format)) === "texts") {
      const figures = yield* Effect.ensuring(evaluateRaltTexts(settings, { observe }), end)
      return machine ? printJson(figures) : printLine(textTable(figures))
    }
    const { n, k, variants, sweep, verdict } = yield* Effect.ensuring(evaluateRalt(settings, { observe }), end)
    if (machine)
      return printJson({ n, k, ...variants, ...(sweep.length > 1 ? { sweep } : {}), ...withoutAbsent({ verdict }) })
    const named = (prefix: string, figures: Readonly<Record<string, number>>) =>
      Object.entries(figures).map(([name, value]) => [`${prefix}.${name}`, value] as const)
    const several = sweep.length > 1 ? sweep.flatMap((each) => named(`retrieved, k ${each.k}`, each.retrieved)) : []
    const all = [...Object.entries(variants).flatMap(([name, figures]) => named(name, figures)), ...several]
    printLine(metricsTable({ n, ...Object.fromEntries(all) }))
    if (verdict !== undefined) printLine(`\n${verdict.words.join("\n")}`)
  }),
).pipe(
  Command.withDescription("Measure a generator's answers without passages, with found ones and with those that answer"),
  Command.withExamples([
    {
      command: "tandem ralt eval --run reader --data dev.jsonl --corpus corpus.jsonl --retriever run --k-eval 1,2,5",
      description: "A finished run, for several numbers of passages",
    },
  ]),
)
