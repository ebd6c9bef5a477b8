// Writes the table of speed and memory in docs/speed.md and the README's summary of it from bench/out/*.json; a test fails
// when one is stale.
// Usage: node scripts/performance.ts
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Compared, type Goal, goalsOf } from "../bench/support/Compare.ts"
import {
  type BenchmarkRecord,
  comparisons,
  duration,
  goalWords,
  missedGoals,
  range,
  readRecords,
} from "../bench/support/Records.ts"
import { root } from "./support/Workspace.ts"

/** A page with a part that is made here. */
interface PerformancePage {
  /** Relative to the root. */
  readonly name: string
  readonly make: (records: readonly BenchmarkRecord[]) => string
}

/** The pages that hold figures of speed and memory. */
export const performancePages: readonly PerformancePage[] = [
  { name: "docs/speed.md", make: (records) => section(records) },
  { name: "README.md", make: (records) => overview(records) },
]

const [begin, end] = ["<!-- performance: made by node scripts/performance.ts -->", "<!-- /performance -->"]

/** A page with its part as bench/out has it. */
export const renderPerformance = (
  { name, make }: PerformancePage,
  text: string,
  records: readonly BenchmarkRecord[],
): string => {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${name} lacks ${begin} or ${end}`)
  return `${text.slice(0, from + begin.length)}\n\n${make(records)}\n\n${text.slice(to)}`
}

/** Writes all pages anew. */
export const writePerformance = (records = readRecords()): void => {
  for (const page of performancePages) {
    const file = join(root, page.name)
    writeFileSync(file, renderPerformance(page, readFileSync(file, "utf8"), records))
  }
}

const measuredOf = (records: readonly BenchmarkRecord[]): readonly BenchmarkRecord[] =>
  records.filter((record) => comparisons(record).some(([, { ratio }]) => ratio !== undefined))

/** One row for each kind of work: the medians of its cases from the least to the largest. */
const overview = (records: readonly BenchmarkRecord[]): string => {
  const measured = measuredOf(records)
  const goals = records.flatMap(comparisons).flatMap(([, compared]) => goalsOf(compared))
  const rows = measured.map((record) => {
    const cases = comparisons(record).map(([, compared]) => compared)
    const speed = cases.flatMap(({ ratio }) => (ratio === undefined ? [] : [ratio.median]))
    const memory = cases.flatMap(({ memory: share }) => (share === undefined ? [] : [share]))
    return `| ${record.settings.work} | ${record.settings.against} | ${fromTo(speed)} | ${fromTo(memory)} |`
  })
  return [
    "| work | against | speed, theirs over ours | memory, ours over theirs |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
    `${goals.filter(({ reached }) => reached).length} of ${goals.length} goals are reached.`,
  ].join("\n")
}

/** `1.49 to 2.47 ×` */
const fromTo = (values: readonly number[]): string => {
  if (values.length === 0) return ""
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(2))
  return least === most ? `${least} ×` : `${least} to ${most} ×`
}

const section = (records: readonly BenchmarkRecord[]): string => {
  const measured = measuredOf(records)
  if (measured.length === 0) return "No run with peers is recorded."
  const rows = measured.flatMap((record) => [
    `| **${record.settings.work}**, against ${record.settings.against} | | | | |`,
    ...comparisons(record).map(([name, compared]) => row(name, compared)),
  ])
  return [
    "| work | ours | theirs | speed | memory |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
    ...facts(records),
    ...missed(records),
  ].join("\n")
}

const row = (name: string, compared: Compared): string => {
  const { ours, peer, ratio, memory } = compared
  const cells = [
    name,
    duration(ours.seconds.median),
    typeof peer === "string" ? "missing" : duration(peer.seconds.median),
    ratio === undefined ? "" : withGoal(`${range(ratio)} ×`, compared, "speed"),
    memory === undefined ? "" : withGoal(`${memory.toFixed(2)} ×`, compared, "memory"),
  ]
  return `| ${cells.join(" | ")} |`
}

const withGoal = (found: string, compared: Compared, of: Goal["of"]): string =>
  [found, goalWords(compared, of)].filter((part) => part !== "").join(", ")

/** Rows with a goal that was not reached, and what holds it back. */
const missed = (records: readonly BenchmarkRecord[]): readonly string[] => {
  const rows = records.flatMap((record) =>
    comparisons(record).flatMap(([name, compared]) => {
      const found = missedGoals(compared)
      return found === "" ? [] : [`- ${record.settings.work}, ${name}: ${found}.`]
    }),
  )
  if (rows.length === 0) return []
  return ["", "Not reached ([performance.md](performance.md) says what was tried):", "", ...rows]
}

/** Machine, dates, versions and the physical limit in sentences. */
const facts = (records: readonly BenchmarkRecord[]): readonly string[] => {
  const each = (values: Iterable<string>): string => [...new Set(values)].join(", ")
  const all = records.flatMap((record) => comparisons(record).map(([name, compared]) => ({ record, name, compared })))
  const peers = all.flatMap(({ compared: { peer } }) => (typeof peer === "string" ? [] : Object.entries(peer.versions)))
  const limits = all.flatMap(({ record, name, compared }) =>
    compared.limit === undefined ? [] : [{ name: `${record.settings.work}: ${name}`, compared, limit: compared.limit }],
  )
  const lines = [
    "Speed is their time over ours, pair by pair: median (least–largest) of the rounds, above 1 where ours is faster;",
    "memory is our peak over theirs. ✓ and ✗ tell which goals were reached.",
    `Measured ${each(records.map(({ date }) => date).sort())} on ${each(records.map(({ machine: { cpu, cores } }) => `${cores} cores of ${cpu}`))}`,
    `with Node ${each(records.map(({ versions }) => versions["node"] ?? ""))}, ONNX Runtime ${each(records.map(({ versions }) => versions["onnxruntime-node"] ?? ""))}${peers.length === 0 ? "." : `, ${each(peers.map(([name, version]) => `${name} ${version}`).sort())}.`}`,
  ]
  if (limits.length === 0) return lines
  const peak = Math.max(...limits.map(({ limit }) => limit.peakGigaflopsPerSecond))
  return [
    ...lines,
    "",
    `No step is faster than its matrix products, each alone in its fastest form (at most ${peak.toFixed(0)} GFLOP/s on that machine). Their share of ours:`,
    "",
    "| step | products alone | share |",
    "| --- | --- | --- |",
    ...limits.map(
      ({ name, compared, limit }) =>
        `| ${name} | ${duration(limit.seconds.median)} | ${withGoal(range(limit.share), compared, "share")} |`,
    ),
  ]
}

if (import.meta.main) writePerformance()
