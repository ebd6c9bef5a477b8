import { closeSync, constants, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs"
import { Effect, type Scope } from "effect"
import type { RunFolderError } from "../Errors.ts"
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
export const readMetrics = (file: string): readonly MetricsRow[] => {
  if (!existsSync(file)) return []
  return readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1)
    .flatMap((line) => {
      const row: unknown = JSON.parse(line)
      return isRow(row) ? [row] : []
    })
}

const isRow = (row: unknown): row is MetricsRow =>
  typeof row === "object" && row !== null && "step" in row && typeof row.step === "number"

/** Opens the metrics file for appending after `step`: later rows, which will be made again, are dropped. */
export const openMetrics = Effect.fnUntraced(function* (
  file: string,
  step: number,
): Effect.fn.Return<MetricsFile, RunFolderError, Scope.Scope> {
  const kept = readMetrics(file).filter((row) => row.step <= step)
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
