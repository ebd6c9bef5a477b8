// What bench/out holds, for the page and for the README's table.
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { listFiles, root } from "../../scripts/support/Workspace.ts"
import type { Compared } from "./Compare.ts"
import type { PowerLaw } from "./Exponent.ts"
import type { Spread } from "./Spread.ts"

/** A series of measurements against a size. */
export interface Scaled extends PowerLaw {
  readonly axis: string
  readonly points: readonly { readonly size: number; readonly seconds: Spread }[]
}

/** One file of bench/out. */
export interface BenchmarkRecord {
  readonly name: string
  readonly command: string
  readonly date: string
  readonly seconds: number
  readonly machine: { readonly cpu: string; readonly cores: number; readonly platform: string }
  readonly versions: Readonly<Record<string, string>>
  readonly settings: {
    /** What is measured, against whom, and of what the seconds are. */
    readonly work: string
    readonly against?: string
    readonly unit?: string
  }
  readonly figures: Readonly<Record<string, Compared | Scaled>>
  readonly holds?: Readonly<Record<string, boolean>>
}

export const isScaled = (figure: Compared | Scaled): figure is Scaled => "points" in figure

/** In the order in which the page tells them; others follow by name. */
const order = ["dual-encoder-squad", "dual-encoder-dense", "causal-lm", "corpus-encoding", "tokenization", "startup"]

/** All records, in a fixed order. */
export const readRecords = (): readonly BenchmarkRecord[] => {
  const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length)
  return listFiles(["bench/out/*.json"])
    .filter((file) => existsSync(join(root, file)))
    .map((file): BenchmarkRecord => JSON.parse(readFileSync(join(root, file), "utf8")))
    .sort((a, b) => place(a.name) - place(b.name) || (a.name < b.name ? -1 : 1))
}

/** The comparisons of a record by name. */
export const comparisons = ({ figures }: BenchmarkRecord): readonly (readonly [string, Compared])[] =>
  Object.entries(figures).flatMap(([name, figure]) => (isScaled(figure) ? [] : [[name, figure] as const]))

/** The series of a record by name. */
export const scalings = ({ figures }: BenchmarkRecord): readonly (readonly [string, Scaled])[] =>
  Object.entries(figures).flatMap(([name, figure]) => (isScaled(figure) ? [[name, figure] as const] : []))

/** A number of seconds in words. */
export const duration = (seconds: number): string =>
  seconds >= 1 ? `${seconds.toFixed(2)} s` : `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`

/** Median with least and largest. */
export const range = ({ median, min, max }: Spread, digits = 2): string =>
  `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`

/** A line for each row of a record. */
export const summary = (record: BenchmarkRecord): string =>
  [
    `${record.name}: ${record.settings.work}`,
    ...comparisons(record).map(([name, { ours, peer, ratio, memory, limit }]) => {
      const facts = [
        `ours ${duration(ours.seconds.median)}`,
        typeof peer === "string" ? `peer ${peer}` : `peer ${duration(peer.seconds.median)}`,
        ...(ratio === undefined ? [] : [`speed ${range(ratio)}`]),
        ...(memory === undefined ? [] : [`memory ${memory.toFixed(2)}`]),
        ...(limit === undefined ? [] : [`products alone ${range(limit.share)} of the step`]),
      ]
      return `  ${name}: ${facts.join(", ")}`
    }),
    ...scalings(record).map(([name, { axis, exponent }]) => `  ${name}: power ${exponent.toFixed(2)} of ${axis}`),
  ].join("\n")
