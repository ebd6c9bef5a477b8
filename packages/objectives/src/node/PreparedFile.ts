import { existsSync, promises as fs } from "node:fs"
import { type RunFolderError, SettingsError } from "@tandem/runs"
import { onDisk, writeWhole } from "@tandem/runs/node/RunFiles"
import { Effect, Option, Schema } from "effect"
import { PreparedQuestion } from "../ralt/PreparedQuestion.ts"

/** How passages were found, which decides what scores mean. */
export const FoundBy = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("retriever"),
    /** Of the encoders and of how they compare texts. */
    fingerprint: Schema.String,
    /** What the retriever was trained to divide scores by. */
    temperature: Schema.Number,
  }),
  Schema.Struct({ kind: Schema.Literals(["bm25", "data"]) }),
])
export type FoundBy = typeof FoundBy.Type

/** The first line of a prepared file. */
const Header = Schema.Struct({
  format: Schema.Literal(1),
  kind: Schema.Literal("prepared questions"),
  /** Most passages that were looked for. */
  k: Schema.Number,
  foundBy: FoundBy,
  /** SHA-256 of the files that questions and passages were read from. */
  data: Schema.Record(Schema.String, Schema.String),
})
export type PreparedHeader = Omit<typeof Header.Type, "format" | "kind">

/** Questions with the passages that were found for them. */
export interface Prepared {
  readonly header: PreparedHeader
  readonly questions: readonly PreparedQuestion[]
}

/** Writes prepared questions as JSON Lines, the header first. */
export const writePrepared = (file: string, { header, questions }: Prepared): Effect.Effect<void, RunFolderError> =>
  writeWhole(
    file,
    [{ format: 1, kind: "prepared questions", ...header }, ...questions]
      .map((row) => `${JSON.stringify(row)}\n`)
      .join(""),
  )

/** Whether a file begins as a prepared one does. */
export const isPrepared = (file: string): Effect.Effect<boolean, RunFolderError> =>
  onDisk(file, async () => {
    if (!existsSync(file) || !(await fs.stat(file)).isFile()) return false
    const handle = await fs.open(file)
    try {
      const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(64), position: 0 })
      return /^\{\s*"format"\s*:\s*\d+\s*,\s*"kind"\s*:\s*"prepared questions"/.test(
        buffer.toString("utf8", 0, bytesRead),
      )
    } finally {
      await handle.close()
    }
  })

/** Reads a prepared file; one of another version, and a row that is none, end in `SettingsError` with file and line. */
export const readPrepared = Effect.fnUntraced(function* (
  file: string,
): Effect.fn.Return<Prepared, RunFolderError | SettingsError> {
  const [first = "", ...lines] = (yield* onDisk(file, () => fs.readFile(file, "utf8"))).trimEnd().split("\n")
  const header = Option.getOrUndefined(Schema.decodeUnknownOption(Header)(parsed(first)))
  if (header === undefined) return yield* broken(file, 1, "a header of format 1", first)
  const questions: PreparedQuestion[] = []
  for (const [index, line] of lines.entries()) {
    const row = Option.getOrUndefined(Schema.decodeUnknownOption(PreparedQuestion)(parsed(line)))
    if (row === undefined) return yield* broken(file, index + 2, "a question with its passages", line)
    questions.push(row)
  }
  const { k, foundBy, data } = header
  return { header: { k, foundBy, data }, questions }
})

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const broken = (file: string, line: number, expected: string, found: string): SettingsError =>
  new SettingsError({
    message: `line ${line} of the prepared questions cannot be used`,
    file,
    field: "data",
    expected,
    found: found.slice(0, 60),
    hint: "prepare them anew",
  })
