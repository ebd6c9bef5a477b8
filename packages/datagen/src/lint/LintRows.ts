import type { InstructionRow } from "@tandem/datasets"
import { type LintFinding, type LintKind, type LintOptions, rowLinter } from "./LintRow.ts"

/** A finding and the row that it is about. */
export interface PlacedFinding extends LintFinding {
  readonly file: string
  readonly line: number
  readonly id: string
}

/** What a check of training rows came to. */
export interface LintReport {
  /** Whether there are rows and none has an error. */
  readonly ok: boolean
  readonly rows: number
  readonly sequenceLength: number
  readonly tokens: {
    readonly total: number
    readonly trained: number
    /** Of a row: the middle one, the one that 95 % are not longer than, and the longest. */
    readonly median: number
    readonly p95: number
    readonly longest: number
  }
  /** Rows that each kind of error or warning concerns. */
  readonly counts: Readonly<Partial<Record<LintKind, number>>>
  /** The first of them. */
  readonly findings: readonly PlacedFinding[]
}

/** Findings that a report names one by one. */
const named = 100

/** Checks rows as they come; of each only its length is kept. */
export const lintRows = async (rows: AsyncIterable<InstructionRow>, options: LintOptions): Promise<LintReport> => {
  const lint = rowLinter(options)
  const lengths: number[] = []
  const findings: PlacedFinding[] = []
  const counts: { [kind in LintKind]?: number } = {}
  let [trainedTokens, errors] = [0, 0]
  for await (const { example, file, line } of rows) {
    const row = lint(example)
    lengths.push(row.tokens)
    trainedTokens += row.trained
    for (const found of row.findings) {
      counts[found.kind] = (counts[found.kind] ?? 0) + 1
      if (found.level === "error") errors += 1
      if (findings.length < named) findings.push({ file, line, id: example.id, ...found })
    }
  }
  lengths.sort((a, b) => a - b)
  const at = (share: number): number => lengths[Math.min(lengths.length - 1, Math.floor(share * lengths.length))] ?? 0
  return {
    ok: errors === 0 && lengths.length > 0,
    rows: lengths.length,
    sequenceLength: options.sequenceLength,
    tokens: {
      total: lengths.reduce((sum, length) => sum + length, 0),
      trained: trainedTokens,
      ...{ median: at(0.5), p95: at(0.95), longest: lengths.at(-1) ?? 0 },
    },
    counts,
    findings,
  }
}
