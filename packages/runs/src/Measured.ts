import { bootstrapMean, type Interval, pairedBootstrap } from "@tandem/evals"

/** Figures by name; see docs/formats.md for the names. */
export type Metrics = Readonly<Record<string, number>>

/** What a system scores on the evaluation examples. */
export interface Measured {
  readonly metrics: Metrics
  /** The figures of each question, for those that are means over questions. */
  readonly perQuestion: Readonly<Record<string, readonly number[]>>
  /** What the report's examples show of it; JSON, read by the objective that made it alone. */
  readonly shown: unknown
}

/** Each figure's own 95 % bootstrap interval over the questions. */
export const intervals = ({ perQuestion }: Measured): Readonly<Record<string, Interval>> =>
  Object.fromEntries(Object.entries(perQuestion).map(([name, values]) => [name, bootstrapMean(values)]))

/** Differences `a − b` with their 95 % paired bootstrap intervals, for the figures that both have. */
export const differences = (a: Measured, b: Measured): Readonly<Record<string, Interval>> =>
  Object.fromEntries(
    Object.entries(a.perQuestion).flatMap(([name, values]) => {
      const other = b.perQuestion[name]
      return other === undefined ? [] : [[name, pairedBootstrap(values, other)] as const]
    }),
  )
