import { existsSync } from "node:fs"
import { isPrepared, writePrepared } from "@tandem/objectives/node/PreparedFile"
import { readQuestions } from "@tandem/objectives/node/Questions"
import { type RunOptions, SettingsError } from "@tandem/runs"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { checkSource } from "./CheckSource.ts"
import type { PassageSource } from "./FindPassages.ts"
import { findAll } from "./RaltData.ts"

/** What `prepareRalt` is told. */
export type PrepareRaltSettings = PassageSource & {
  readonly data: readonly string[]
  readonly format?: string
  /** Passages of a question. */
  readonly k: number
  /** The file to write; one that is there is replaced where it was prepared itself. */
  readonly out: string
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/** What was prepared. */
export interface PreparedCounts {
  readonly questions: number
  readonly passages: number
  /** Questions with a passage that answers among those that were found. */
  readonly goldFound: number
}

/** Finds the passages of questions once and writes them into a file that `ralt train` and `ralt eval` take as data. */
export const prepareRalt = Effect.fn("ralt.prepare")((settings: PrepareRaltSettings, { observe }: RunOptions) => {
  const { data, k, out, device, threads } = settings
  return Effect.gen(function* () {
    yield* observe({ event: "phase", name: "reading data" })
    const questions = yield* readQuestions(data, "data", settings)
    if (questions.kind === "prepared") {
      return yield* new SettingsError({
        message: "the questions were prepared already",
        field: "data",
        file: data.join(", "),
        hint: "prepare the questions that they were made of",
      })
    }
    yield* checkSource(settings, [questions])
    if (existsSync(out) && !(yield* isPrepared(out))) {
      return yield* new SettingsError({
        message: "the file to write is there already, and is none of prepared questions",
        field: "out",
        file: out,
        hint: "name another file, or remove this one",
      })
    }
    const [found] = yield* findAll([{ questions, k, files: data }], settings, { observe })
    yield* writePrepared(out, found!)
    const passages = found!.questions.map((question) => question.passages.filter(({ score }) => score !== undefined))
    return {
      questions: found!.questions.length,
      passages: passages.reduce((sum, { length }) => sum + length, 0),
      goldFound: passages.filter((all) => all.some(({ gold }) => gold === true)).length,
    } satisfies PreparedCounts
  }).pipe(Effect.scoped, Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })))
})
