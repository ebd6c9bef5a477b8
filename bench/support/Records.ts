// What bench/out holds, for the page and for the table of docs/speed.md.
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { listFiles, root } from "../../scripts/support/Workspace.ts"
import { type Compared, type Goal, goalsOf } from "./Compare.ts"
import type { PowerLaw } from "./Exponent.ts"
import { type Profile, type ProfilePart, profileParts } from "./Profile.ts"
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
const order = [
  "dual-encoder-squad",
  "dual-encoder-dense",
  "causal-lm",
  "ralt-step",
  "joint-step",
  "generate",
  "score-passages",
  "corpus-encoding",
  "tokenization",
  "chunking",
  "datagen",
  "startup",
]

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

/** A goal, and whether it was reached: nothing where there is none. */
export const goalWords = (compared: Compared, of: Goal["of"]): string => {
  const found = goalsOf(compared).find((goal) => goal.of === of)
  return found === undefined ? "" : `goal ${signOf(of)} ${found.goal} ${found.reached ? "✓" : "✗"}`
}

/** The goals that were not reached, and the operators that hold them back; empty where all were reached. */
export const missedGoals = (compared: Compared): string => {
  const missed = goalsOf(compared).filter(({ reached }) => !reached)
  if (missed.length === 0) return ""
  const goals = missed.map((each) => `${ofWhat[each.of]} ${missedBy(each)} (goal ${signOf(each.of)} ${each.goal})`)
  // What memory there is does not follow from where the time goes.
  const slow = missed.some(({ of }) => of !== "memory")
  const { profile } = compared
  return `${goals.join(", ")}${slow && profile !== undefined ? `; ${slowest(profile)}` : ""}`
}

const slowest = (profile: Profile): string => {
  const words = ({ name, share }: ProfilePart): string => `${name} (${percent(share)})`
  const [products, ...others] = profileParts(profile, profile.operators.length)
  const largest = others.sort((a, b) => b.seconds - a.seconds).slice(0, 4)
  return products === undefined ? "" : `beside ${words(products)} its time goes to ${largest.map(words).join(", ")}`
}

/** With a third digit where two would look like the goal. */
const missedBy = ({ found, goal }: Goal): string => found.toFixed(Number(found.toFixed(2)) === goal ? 3 : 2)

const signOf = (of: Goal["of"]): string => (of === "memory" ? "≤" : "≥")

const ofWhat: Readonly<Record<Goal["of"], string>> = { speed: "speed", memory: "memory", share: "products alone" }

/** A share in words. */
export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`

/** A line for each row of a record. */
export const summary = (record: BenchmarkRecord): string =>
  [
    `${record.name}: ${record.settings.work}`,
    ...comparisons(record).map(([name, { ours, peer, ratio, memory, limit, profile }]) => {
      const facts = [
        `ours ${duration(ours.seconds.median)}`,
        typeof peer === "string" ? `peer ${peer}` : `peer ${duration(peer.seconds.median)}`,
        ...(ratio === undefined ? [] : [`speed ${range(ratio)}`]),
        ...(memory === undefined ? [] : [`memory ${memory.toFixed(2)}`]),
        ...(limit === undefined ? [] : [`products alone ${range(limit.share)} of the step`]),
        ...(profile === undefined ? [] : [slowest(profile)]),
      ]
      return `  ${name}: ${facts.join(", ")}`
    }),
    ...scalings(record).map(([name, { axis, exponent }]) => `  ${name}: power ${exponent.toFixed(2)} of ${axis}`),
  ].join("\n")
