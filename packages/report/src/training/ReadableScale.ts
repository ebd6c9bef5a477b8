import type { Chart } from "../kinds/Curves.ts"

/** A chart's axis, and how many values it leaves out. */
export interface ReadableScale {
  readonly scale: Chart["scale"]
  readonly within?: readonly [low: number, high: number]
  readonly left: number
}

/** Where the bulk of positive values spans this factor, an axis is logarithmic. */
const decades = 10

/**
 * An axis on which the course of values by step can be read. Where they span decades it is logarithmic; otherwise
 * single values far outside of all others, the very first ones above all, lie beyond its ends.
 */
export const readableScale = (
  lines: readonly (readonly number[])[],
  otherwise: "free" | "from zero",
): ReadableScale => {
  const finite = lines.map((values) => values.filter(Number.isFinite))
  const all = finite.flat()
  const settled = finite.flatMap((values) => values.slice(values.length < 10 ? 0 : Math.ceil(values.length / 50)))
  if (settled.length === 0) return { scale: otherwise, left: 0 }
  const sorted = settled.sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  const [low, high] = [sorted[Math.ceil(0.01 * (sorted.length - 1))] ?? 0, at(0.99)]
  if (all.every((value) => value > 0) && high / low >= decades) return { scale: "log", left: 0 }
  const range = high - low
  const beyond = (room: number): number => all.filter((value) => value < low - room || value > high + room).length
  if (beyond(range) === 0) return { scale: otherwise, left: 0 }
  const room = range / 4
  return { scale: otherwise, within: [low - room, high + room], left: beyond(room) }
}
