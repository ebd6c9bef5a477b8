// Writes the README's table of speed and memory from bench/out/*.json; a test fails when it is stale.
// Usage: node scripts/performance.ts
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Compared, Goal } from "../bench/support/Compare.ts"
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

export const readmeFile = join(root, "README.md")

const [begin, end] = ["<!-- performance: made by node scripts/performance.ts -->", "<!-- /performance -->"]

/** The README with its table as bench/out has it. */
export const renderPerformance = (readme: string, records = readRecords()): string => {
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`README.md lacks ${begin} or ${end}`)
  return `${readme.slice(0, from + begin.length)}\n\n${section(records)}\n\n${readme.slice(to)}`
}

const section = (records: readonly BenchmarkRecord[]): string => {
  const measured = records.filter((record) => comparisons(record).some(([, { ratio }]) => ratio !== undefined))
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
  return ["", "Not reached ([docs/performance.md](docs/performance.md) says what was tried):", "", ...rows]
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

if (import.meta.main) writeFileSync(readmeFile, renderPerformance(readFileSync(readmeFile, "utf8")))
