import { closeSync, constants, existsSync, fsyncSync, openSync, writeSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { Effect, type Scope } from "effect"
import { InvalidRunError, type RunFolderError } from "../Errors.ts"
import { onDisk, writeWhole } from "./RunFiles.ts"

/** One line of `metrics.jsonl`. */
export type MetricsRow = { readonly step: number } & Readonly<Record<string, unknown>>

/** `metrics.jsonl`, one object a line, in the order of the steps. */
export interface MetricsFile {
  readonly append: (row: MetricsRow) => Effect.Effect<void, RunFolderError>
  /** Makes what was appended durable. */
  readonly flush: Effect.Effect<void, RunFolderError>
}

/** Rows of a metrics file; a last line that a kill cut off is left out. */
export const readMetrics = (file: string): Effect.Effect<readonly MetricsRow[], InvalidRunError | RunFolderError> =>
  Effect.gen(function* () {
    if (!existsSync(file)) return []
    const lines = (yield* onDisk(file, () => readFile(file, "utf8"))).split("\n").slice(0, -1)
    const rows: MetricsRow[] = []
    for (const [index, line] of lines.entries()) {
      const row = yield* Effect.try({
        try: (): unknown => JSON.parse(line),
        catch: () =>
          new InvalidRunError({
            message: `the metrics of the run are damaged in line ${index + 1}`,
            file,
            expected: "a JSON object a line",
            found: line.slice(0, 60),
            hint: "take the line out and go on with `resume`: rows after the last checkpoint are made again",
          }),
      })
      if (isRow(row)) rows.push(row)
    }
    return rows
  })

const isRow = (row: unknown): row is MetricsRow =>
  typeof row === "object" && row !== null && "step" in row && typeof row.step === "number"

/** Opens the metrics file for appending after `step`: later rows, which will be made again, are dropped. */
export const openMetrics = Effect.fnUntraced(function* (
  file: string,
  step: number,
): Effect.fn.Return<MetricsFile, InvalidRunError | RunFolderError, Scope.Scope> {
  const kept = (yield* readMetrics(file)).filter((row) => row.step <= step)
  yield* writeWhole(file, kept.map((row) => `${JSON.stringify(row)}\n`).join(""))
  const handle = yield* Effect.acquireRelease(
    onDisk(file, async () => openSync(file, constants.O_WRONLY | constants.O_APPEND)),
    (descriptor) => Effect.sync(() => closeSync(descriptor)),
  )
  return {
    append: (row) => onDisk(file, async () => void writeSync(handle, `${JSON.stringify(row)}\n`)),
    flush: onDisk(file, async () => fsyncSync(handle)),
  }
})
