import type { RowSettings, TrainingRow } from "../format/TrainingRows.ts"

/** A format that training rows can be written in. */
export interface ExportFormat {
  /** Who reads it, and how it is told to. */
  readonly reader: string
  /** A row as lines of JSON; several where the format trains one span a line. */
  readonly lines: (row: TrainingRow) => readonly string[]
  /** What of rows of these settings the format cannot say. */
  readonly cannot: (settings: RowSettings) => readonly string[]
}

/** What formats of messages leave to the model's own chat template. */
export const leavesFormats =
  "`system_format`, `user_format`, `assistant_format` and `bos`: the model's own chat template lays conversations out"

/** What formats without masks within a turn leave out. */
export const leavesThoughts = "thoughts: they are left out, because a turn is trained as a whole or not at all"
