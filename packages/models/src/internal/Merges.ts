import { Heap } from "./Heap.ts"

/** A word as the pieces that it consists of so far, and how often it occurs. */
export interface CountedWord {
  pieces: number[]
  readonly count: number
}

interface Pair {
  count: number
  readonly words: Set<CountedWord>
}

interface Candidate {
  readonly key: number
  readonly count: number
}

/** More pieces than any vocabulary has; two ids make one key below 2⁵³. */
const base = 2 ** 21

/**
 * Byte-pair merging: joins the pair of neighbouring pieces that is most frequent over all words, again and again, until
 * `join` asks to stop or no pair occurs `minFrequency` times. Equal counts are decided by the lower piece ids, so the
 * result is deterministic. `join` receives the two pieces and gives the id of the joined one.
 */
export const mergePairs = (
  words: readonly CountedWord[],
  minFrequency: number,
  join: (left: number, right: number) => number | undefined,
): void => {
  const pairs = new Map<number, Pair>()
  const heap = new Heap<Candidate>((a, b) => a.count > b.count || (a.count === b.count && a.key < b.key))
  const count = (word: CountedWord, sign: 1 | -1, touched: Set<number>): void => {
    for (let i = 0; i + 1 < word.pieces.length; i++) {
      const key = word.pieces[i]! * base + word.pieces[i + 1]!
      const pair = pairs.get(key) ?? { count: 0, words: new Set() }
      if (pair.count === 0) pairs.set(key, pair)
      pair.count += sign * word.count
      if (sign === 1) {
        pair.words.add(word)
        touched.add(key)
      }
    }
  }
  const offer = (touched: ReadonlySet<number>): void => {
    for (const key of touched) {
      const pair = pairs.get(key)
      if (pair !== undefined && pair.count >= minFrequency) heap.push({ key, count: pair.count })
    }
  }
  const all = new Set<number>()
  for (const word of words) count(word, 1, all)
  offer(all)
  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const pair = pairs.get(top.key)
    if (pair === undefined || pair.count < minFrequency) continue
    if (pair.count !== top.count) {
      // A count that has grown is in the heap again already; one that has shrunk goes back to where it now belongs.
      if (pair.count < top.count) heap.push({ key: top.key, count: pair.count })
      continue
    }
    const left = Math.floor(top.key / base)
    const right = top.key % base
    const joined = join(left, right)
    if (joined === undefined) return
    pairs.delete(top.key)
    const touched = new Set<number>()
    for (const word of pair.words) {
      if (!contains(word.pieces, left, right)) continue
      count(word, -1, touched)
      word.pieces = replace(word.pieces, left, right, joined)
      count(word, 1, touched)
    }
    pairs.delete(top.key)
    offer(touched)
  }
}

const contains = (pieces: readonly number[], left: number, right: number): boolean => {
  for (let i = 0; i + 1 < pieces.length; i++) if (pieces[i] === left && pieces[i + 1] === right) return true
  return false
}

const replace = (pieces: readonly number[], left: number, right: number, joined: number): number[] => {
  const result: number[] = []
  for (let i = 0; i < pieces.length; i++) {
    if (pieces[i] === left && pieces[i + 1] === right) {
      result.push(joined)
      i++
    } else result.push(pieces[i]!)
  }
  return result
}
