import type { Random } from "@tandem/random"

/** A copy of a file with one damage, and where that lies in the whole one. */
export interface Mutation {
  readonly bytes: Uint8Array
  readonly at: number
  /** Behind the last byte of the whole file that is another one or gone. */
  readonly end: number
  /** Whether all bytes behind the damage are where they were. */
  readonly inPlace: boolean
}

/** What parsers of numbers and texts stumble over. */
const nasty = ["\u0000", '"', "{", "]", ",", "-1", "1e999", "99999999999", "null", "NaN", "\ud800", "__proto__", "../x"]

const replaced = (bytes: Uint8Array, at: number, end: number, put: Uint8Array): Mutation => {
  const copy = new Uint8Array(bytes.length - (end - at) + put.length)
  copy.set(bytes.subarray(0, at))
  copy.set(put, at)
  copy.set(bytes.subarray(end), at + put.length)
  return { bytes: copy, at, end, inPlace: put.length === end - at }
}

/**
 * Damages a file as disks, downloads and people do: a bit that is another, a byte, a run of zeros or of ones, a piece that
 * is missing, there twice, or from elsewhere in the file, text that does not belong there, an end that is cut off.
 * Half of the damage lies in `[from, to)`, where the file says what it holds.
 */
export const mutated = (bytes: Uint8Array, [from, to]: readonly [number, number], random: Random): Mutation => {
  const at = random.integer(2) === 0 && to > from ? from + random.integer(to - from) : random.integer(bytes.length)
  const few = Math.min(1 + random.integer(16), bytes.length - at)
  switch (random.integer(8)) {
    case 0:
      return replaced(bytes, at, at + 1, Uint8Array.of(random.integer(256)))
    case 1:
      return replaced(bytes, at, at + few, new Uint8Array(few).fill(random.integer(2) * 255))
    case 2:
      return replaced(bytes, at, at + few, new Uint8Array())
    case 3:
      return replaced(bytes, at, at, bytes.slice(at, at + few))
    case 4: {
      const other = random.integer(bytes.length - few + 1)
      return replaced(bytes, at, at + few, bytes.slice(other, other + few))
    }
    case 5:
      return replaced(bytes, at, at + random.integer(few + 1), new TextEncoder().encode(random.choice(nasty)))
    case 6:
      return replaced(bytes, at, bytes.length, new Uint8Array())
    default:
      return replaced(bytes, at, at + 1, Uint8Array.of(bytes[at]! ^ (1 << random.integer(8))))
  }
}
