/** Why a question is worth a look. */
export type Reason = "improved" | "worse" | "failing" | "working"

/** A question that was chosen, by its index. */
export interface Choice {
  readonly index: number
  readonly reason: Reason
}

/** What questions score, in 0 to 1, and how many of each kind are wanted. */
export interface Scores {
  /** Absent where there is nothing to compare with: then nothing is improved or worse. */
  readonly before?: ArrayLike<number>
  /** The same questions in the same order. */
  readonly after: ArrayLike<number>
  readonly counts?: Partial<Readonly<Record<Reason, number>>>
}

/** How many questions of each kind a page shows. */
export const usualCounts: Readonly<Record<Reason, number>> = { improved: 4, worse: 4, failing: 4, working: 2 }

/** Below this, a question fails: what answers it is third at best. */
const failsBelow = 0.5

/**
 * The questions to show of an evaluation: those that gained most, those that lost most, those that fail still, and a few
 * that work, in this order, each question once. Questions without a score on both sides are never chosen. Among equals
 * the choice is scattered over all questions, and the same each time.
 */
export const chooseExamples = ({ before, after, counts }: Scores): readonly Choice[] => {
  const wanted = { ...usualCounts, ...counts }
  const known = Array.from({ length: after.length }, (_, index) => {
    const to = after[index] ?? Number.NaN
    const from = before === undefined ? to : (before[index] ?? Number.NaN)
    return { index, to, gain: to - from, place: scattered(index) }
  }).filter(({ gain }) => Number.isFinite(gain))
  type Known = (typeof known)[number]
  const taken = new Set<number>()
  const pick = (reason: Reason, holds: (each: Known) => boolean, rank: (each: Known) => number): readonly Choice[] => {
    const best = known
      .filter((each) => holds(each) && !taken.has(each.index))
      .sort((a, b) => rank(b) - rank(a) || a.place - b.place)
      .slice(0, wanted[reason])
    for (const { index } of best) taken.add(index)
    return best.map(({ index }) => ({ index, reason }))
  }
  return [
    ...pick(
      "improved",
      ({ gain }) => gain > 0,
      ({ gain }) => gain,
    ),
    ...pick(
      "worse",
      ({ gain }) => gain < 0,
      ({ gain }) => -gain,
    ),
    ...pick(
      "failing",
      ({ to }) => to < failsBelow,
      ({ to }) => -to,
    ),
    ...pick(
      "working",
      ({ to }) => to >= 1,
      ({ to }) => to,
    ),
  ]
}

/** Knuth's multiplicative hash: an order of indices in which neighbours lie far apart. */
const scattered = (index: number): number => Math.imul(index + 1, 0x9e3779b1) >>> 0
