// Counts what the training steps of fixed shapes do and compares it with test/guards.json; `npm test` fails when a figure
// has risen. Usage: node scripts/guards.ts [--write REASON]   (--write: records the figures that differ, and why)
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type GuardedFigures, guardedSteps } from "../bench/support/GuardedSteps.ts"
import { root } from "./support/Workspace.ts"

export const guardsFile = join(root, "test/guards.json")

/** A figure, and why it was last changed. */
export interface Guard {
  readonly value: number
  readonly reason: string
}

/** Guards by shape and figure. */
export type Guards = Readonly<Record<string, Readonly<Record<string, Guard>>>>

/** A figure that is not what is recorded; undefined where one of the two has none. */
export interface Difference {
  readonly shape: string
  readonly figure: string
  readonly recorded: number | undefined
  readonly found: number | undefined
}

type Found = Readonly<Record<string, GuardedFigures>>

export const readGuards = (): Guards => JSON.parse(readFileSync(guardsFile, "utf8"))

/** Where record and findings differ, in the order of the findings. */
export const differences = (guards: Guards, found: Found): readonly Difference[] => {
  const keys = (
    one: Readonly<Record<string, unknown>>,
    other: Readonly<Record<string, unknown>>,
  ): readonly string[] => [...new Set([...Object.keys(one), ...Object.keys(other)])]
  return keys(found, guards).flatMap((shape) =>
    keys(found[shape] ?? {}, guards[shape] ?? {})
      .map((figure) => ({
        shape,
        figure,
        recorded: guards[shape]?.[figure]?.value,
        found: found[shape]?.[figure],
      }))
      .filter((difference) => difference.recorded !== difference.found),
  )
}

/** Whether a figure only fell: the record may follow, but need not. */
export const isLower = ({ recorded, found }: Difference): boolean =>
  recorded !== undefined && found !== undefined && found < recorded

/** A difference in words, with what to do about it. */
export const describeDifference = (difference: Difference): string => {
  const { shape, figure, recorded, found } = difference
  const change = `${shape}: ${figure} was ${recorded ?? "not recorded"}, is ${found ?? "not counted any more"}`
  return `${change}; ${isLower(difference) ? "the record can be lowered" : "if that has to be, record it"}: node scripts/guards.ts --write "REASON"`
}

/** The guards with what was found; figures that stay keep their reason. */
export const updated = (guards: Guards, found: Found, reason: string): Guards =>
  Object.fromEntries(
    Object.entries(found).map(([shape, figures]) => [
      shape,
      Object.fromEntries(
        Object.entries(figures).map(([figure, value]) => {
          const before = guards[shape]?.[figure]
          return [figure, before?.value === value ? before : { value, reason }]
        }),
      ),
    ]),
  )

if (import.meta.main) {
  const { values } = parseArgs({ options: { write: { type: "string" } } })
  const guards = readGuards()
  const found = await guardedSteps()
  const differing = differences(guards, found)
  for (const difference of differing) console.log(describeDifference(difference))
  if (differing.length === 0) console.log("all figures are as recorded")
  if (values.write !== undefined) {
    if (values.write.trim() === "") throw new Error("a change of the record needs a reason")
    writeFileSync(guardsFile, `${JSON.stringify(updated(guards, found, values.write), null, 2)}\n`)
  } else if (!differing.every(isLower)) process.exitCode = 1
}
