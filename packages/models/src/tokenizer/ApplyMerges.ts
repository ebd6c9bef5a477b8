import { Heap } from "../internal/Heap.ts"

/** Pairs of neighbours by their rank, lower ones first, and what a pair becomes. */
export interface MergeTable {
  readonly rank: (left: string, right: string) => number | undefined
  readonly joined: (left: string, right: string) => string
}

interface Candidate {
  readonly rank: number
  /** Where the left one stands. */
  readonly at: number
  readonly left: string
  readonly right: string
}

/** Merges neighbours, the pair of the lowest rank first and of equal ones the leftmost, until no pair is left. */
export const applyMerges = (symbols: readonly string[], { rank, joined }: MergeTable): readonly string[] => {
  const texts: (string | undefined)[] = [...symbols]
  const next = symbols.map((_, at) => at + 1)
  const before = symbols.map((_, at) => at - 1)
  const heap = new Heap<Candidate>((a, b) => a.rank < b.rank || (a.rank === b.rank && a.at < b.at))
  const offer = (at: number): void => {
    const [left, right] = [texts[at], texts[next[at] ?? -1]]
    const found = left === undefined || right === undefined ? undefined : rank(left, right)
    if (found !== undefined && left !== undefined && right !== undefined) heap.push({ rank: found, at, left, right })
  }
  for (const at of symbols.keys()) offer(at)
  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const { at, left, right } = top
    const other = next[at]!
    if (texts[at] !== left || texts[other] !== right) continue
    texts[at] = joined(left, right)
    texts[other] = undefined
    next[at] = next[other]!
    const behind = next[at]
    if (behind < texts.length) before[behind] = at
    if (before[at]! >= 0) offer(before[at]!)
    offer(at)
  }
  return texts.filter((text) => text !== undefined)
}
