import type { Metrics } from "../Metrics.ts"

/** What `metrics.jsonl` says of an optimizer step: its numbers by name, such as `loss`, `lr`, `gradNorm/query`. */
export interface StepRow {
  readonly step: number
  readonly values: Readonly<Record<string, number>>
}

/** What it says of an evaluation. */
export interface EvaluationRow {
  readonly step: number
  readonly metrics: Metrics
}

/** The rows of `metrics.jsonl`, sorted by what they are about; rows of other kinds and values that are no numbers are left out. */
export const trainingRows = (
  rows: readonly Readonly<Record<string, unknown>>[],
): { readonly steps: readonly StepRow[]; readonly evaluations: readonly EvaluationRow[] } => ({
  steps: rows.flatMap(({ step, ...row }) =>
    typeof step === "number" && "loss" in row ? [{ step, values: numbers(row) }] : [],
  ),
  evaluations: rows.flatMap(({ step, eval: found }) =>
    typeof step === "number" && typeof found === "object" && found !== null ? [{ step, metrics: numbers(found) }] : [],
  ),
})

const numbers = (values: object): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (typeof value === "number" ? [[name, value]] : [])),
  )
