import type { DataWarning } from "./DataWarning.ts"
import { NoExamplesError } from "./Errors.ts"
import { hasTrained, type InstructionExample, type InstructionRow } from "./InstructionExample.ts"
import { freeIds } from "./internal/FreeIds.ts"
import { Remarks } from "./internal/Remarks.ts"

/** What was counted while instructions were read. */
export interface InstructionStatistics {
  /** Rows read, whether kept or not. */
  readonly rows: number
  /** Rows kept as examples. */
  readonly examples: number
  /** Rows dropped because nothing of them is trained on, or a turn of the user is empty. */
  readonly droppedUntrained: number
}

/** Examples for a generator. */
export interface InstructionData {
  readonly examples: readonly InstructionExample[]
  readonly statistics: InstructionStatistics
  /** What was left out, or taken otherwise than it stands. */
  readonly warnings: readonly DataWarning[]
}

/**
 * Collects rows as they come. Those without anything to train on (every label or weight 0, an empty answer), and those with
 * a turn of the user that is empty, are left out and counted; an id that is taken gets a `#2`, `#3`.
 *
 * Rejects with `NoExamplesError` where none is left.
 */
export const collectInstructions = async (
  rows: AsyncIterable<InstructionRow>,
  files: string | readonly string[],
): Promise<InstructionData> => {
  const examples: InstructionExample[] = []
  const remarks = new Remarks()
  const freeId = freeIds()
  let count = 0
  for await (const row of rows) {
    count++
    for (const remark of row.remarks ?? []) remarks.add(remark)
    const { example } = row
    if (hasTrained(example) && isAsked(example)) examples.push({ ...example, id: freeId(example.id) })
    else remarks.add({ kind: "untrained", subject: `${row.file}:${row.line}` })
  }
  const warnings = remarks.warnings()
  if (examples.length === 0) {
    const file = [files].flat().join(", ")
    const slip = remarks.first("unknown-field")
    throw new NoExamplesError({
      message: `${file}: none of ${count} rows has anything to train on`,
      file,
      expected: "at least one row with a part that is trained on",
      found: `${count} rows without`,
      ...(slip === undefined ? {} : { hint: `a field may be misspelt: ${slip}` }),
    })
  }
  return {
    examples,
    statistics: { rows: count, examples: examples.length, droppedUntrained: count - examples.length },
    warnings,
  }
}

/** Whether no turn of the user is empty. */
const isAsked = (example: InstructionExample): boolean =>
  example.kind === "segments" || example.messages.every(({ role, content }) => role !== "user" || content.trim() !== "")
