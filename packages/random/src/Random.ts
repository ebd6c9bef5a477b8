import { fnv1aOfBytes } from "./Fnv1a.ts"
import { mix32, splitMix32 } from "./Words.ts"

/**
 * A small deterministic generator of pseudo-random numbers whose state can be written down and taken up again:
 * xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021), seeded through
 * SplitMix32. The same seed gives the same numbers on every runtime. Not for cryptography.
 *
 * @example
 * ```ts
 * import { Random } from "@tandem/random"
 *
 * const random = Random.fromSeed(7)
 * const order = random.shuffle([1, 2, 3, 4])
 * const later = Random.fromState(random.state()) // goes on where `random` stands
 * console.log(order, later.state())
 * ```
 */
export class Random {
  readonly #words: Uint32Array

  private constructor(words: Uint32Array) {
    this.#words = words
  }

  /** A generator for a seed, a number or any string. Numbers and the strings that print them are different seeds. */
  static fromSeed(seed: number | string): Random {
    const split = splitMix32(mix32(fnv1aOfBytes(typeof seed === "number" ? `number:${seed}` : `string:${seed}`)))
    const words = Uint32Array.of(split(), split(), split(), split())
    if (words.every((word) => word === 0)) words[0] = 1
    return new Random(words)
  }

  /** A generator that goes on from a state that {@link Random.state} gave. Throws a `RangeError` for any other value. */
  static fromState(state: RandomState): Random {
    if (state.length !== 4 || state.some((word) => !Number.isInteger(word) || word < 0 || word > 0xffffffff)) {
      throw new RangeError("a random state is four unsigned 32-bit integers")
    }
    if (state.every((word) => word === 0)) throw new RangeError("a random state is not all zero")
    return new Random(Uint32Array.from(state))
  }

  /** The present state, as plain JSON data. */
  state(): RandomState {
    const [a, b, c, d] = this.#words
    return [a!, b!, c!, d!]
  }

  /**
   * An independent generator for a named purpose. It depends on the present state and the labels, and leaves this
   * generator as it was, so that a new purpose does not shift the numbers of the others.
   */
  derive(...labels: readonly (string | number)[]): Random {
    return Random.fromSeed(JSON.stringify([this.state(), labels]))
  }

  /** The next unsigned 32-bit integer. */
  uint32(): number {
    const s = this.#words
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0
    const shifted = s[1]! << 9
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= shifted
    s[3] = rotateLeft(s[3]!, 11)
    return result
  }

  /** A number in [0, 1) with 53 random bits. */
  next(): number {
    const high = this.uint32() >>> 5
    const low = this.uint32() >>> 6
    return (high * 67108864 + low) / 9007199254740992
  }

  /** An integer in [0, bound), without bias. `bound` is at least 1 and at most 2^32. */
  integer(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 4294967296) {
      throw new RangeError(`bound ${bound} is not an integer from 1 to 2^32`)
    }
    const limit = 4294967296 - (4294967296 % bound)
    let value = this.uint32()
    while (value >= limit) value = this.uint32()
    return value % bound
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.next() < p
  }

  /** A standard normal number (Marsaglia's polar method; nothing is kept between calls, so the state stays small). */
  normal(): number {
    for (;;) {
      const u = 2 * this.next() - 1
      const v = 2 * this.next() - 1
      const s = u * u + v * v
      if (s > 0 && s < 1) return u * Math.sqrt((-2 * Math.log(s)) / s)
    }
  }

  /** One of the items, each as likely as the others. Throws a `RangeError` where there is none. */
  choice<A>(items: readonly A[]): A {
    if (items.length === 0) throw new RangeError("there is nothing to choose from")
    return items[this.integer(items.length)]!
  }

  /** The items in a random order, as a new array (Fisher and Yates). */
  shuffle<A>(items: readonly A[]): A[] {
    const result = [...items]
    for (let index = result.length - 1; index > 0; index--) {
      const other = this.integer(index + 1)
      const held = result[index]!
      result[index] = result[other]!
      result[other] = held
    }
    return result
  }

  /** `count` different items in a random order; all of them where there are fewer. */
  sample<A>(items: readonly A[], count: number): A[] {
    return this.shuffle(items).slice(0, count)
  }
}

/** The four words of the generator's state; plain JSON. */
export type RandomState = readonly [number, number, number, number]

const rotateLeft = (value: number, bits: number): number => ((value << bits) | (value >>> (32 - bits))) >>> 0
