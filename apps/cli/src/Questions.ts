import { createReadStream } from "node:fs"
import { createInterface } from "node:readline"
import { UnreadableFileError } from "@tandem/datasets"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { MissingFlag } from "./Errors.ts"

/** The questions of a file, one a line; empty lines are none. A file without any is refused. */
export const readQuestions = Effect.fnUntraced(function* (file: string) {
  const questions = yield* Effect.tryPromise({
    try: async () => {
      const found: string[] = []
      for await (const line of createInterface({ input: createReadStream(file, "utf8") })) {
        if (line.trim() !== "") found.push(line)
      }
      return found
    },
    catch: (cause) =>
      new UnreadableFileError({
        message: `the questions cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
        file,
        field: "--questions",
      }),
  })
  if (questions.length === 0) return yield* noQuestion(file)
  return questions
})

/** Questions of standard input, one a line, as they come: a prompt on standard error asks for them in a terminal. */
export const askedQuestions = (): Stream.Stream<string> => {
  const { stdin, stderr } = process
  const live = stdin.isTTY === true
  const lines = createInterface({ input: stdin, ...(live ? { output: stderr, prompt: "question> " } : {}) })
  // Ctrl-C ends the asking as Ctrl-D does.
  lines.on("SIGINT", () => lines.close())
  const prompted = async function* () {
    if (live) lines.prompt()
    for await (const line of lines) {
      if (line.trim() !== "") yield line
      if (live) lines.prompt()
    }
    if (live) stderr.write("\n")
  }
  return Stream.fromAsyncIterable(prompted(), (cause) => cause).pipe(Stream.orDie)
}

/** That nothing was asked. */
export const noQuestion = (file?: string): MissingFlag =>
  new MissingFlag({
    message: file === undefined ? "no question came on standard input" : `${file} holds no question`,
    ...(file === undefined ? {} : { file }),
    field: "question",
    expected: "questions as arguments, one a line on standard input, or one a line in --questions F",
  })
