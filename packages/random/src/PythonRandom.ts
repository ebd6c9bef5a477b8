const words = 624
const middle = 397

/**
 * CPython's `random.Random`: MT19937 (Matsumoto and Nishimura, "Mersenne Twister", 1998), seeded by a whole number, and the
 * draws that it makes of it, number for number, as of Python 3.11 and newer. For repeating what a Python program drew; use
 * `Random` for anything else.
 *
 * @example
 * ```ts
 * import { PythonRandom } from "@tandem/random"
 *
 * const random = new PythonRandom(11037)
 * console.log(random.random()) // 0.4579361060043632
 * ```
 */
export class PythonRandom {
  readonly #state = new Uint32Array(words)
  #next = words

  /** Seeded by a whole number, whose sign does not count. Throws a `RangeError` for any other number. */
  constructor(seed: number | bigint) {
    if (typeof seed === "number" && !Number.isSafeInteger(seed)) throw new RangeError("a seed is a whole number")
    const size = BigInt(seed) < 0n ? -BigInt(seed) : BigInt(seed)
    const key: number[] = []
    for (let rest = size; rest > 0n; rest >>= 32n) key.push(Number(rest & 0xffffffffn))
    this.#initialize(key.length === 0 ? [0] : key)
  }

  /** A number in [0, 1), of 53 bits: `random()`. */
  random(): number {
    const high = this.#word() >>> 5
    const low = this.#word() >>> 6
    return (high * 67108864 + low) / 9007199254740992
  }

  /** `getrandbits(k)` for 1 to 32 bits. */
  bits(k: number): number {
    return this.#word() >>> (32 - k)
  }

  /** A whole number from `low` to `high`, both included: `randint`. */
  randint(low: number, high: number): number {
    return low + this.#below(high - low + 1)
  }

  /** One of several: `choices(population, weights)[0]`, all equally likely where there are no weights. */
  choice<A>(population: readonly A[], weights?: readonly number[]): A {
    if (weights === undefined) return population[Math.floor(this.random() * population.length)]!
    const sums: number[] = []
    for (const weight of weights) sums.push((sums.at(-1) ?? 0) + weight)
    const drawn = this.random() * sums.at(-1)!
    const place = sums.findIndex((sum) => drawn < sum)
    return population[place < 0 ? population.length - 1 : place]!
  }

  /** `k` different members in the order in which they were drawn: `sample`. Throws a `RangeError` where there are fewer. */
  sample<A>(population: readonly A[], k: number): A[] {
    const { length } = population
    if (k < 0 || k > length) throw new RangeError(`${k} of ${length} cannot be drawn`)
    const poolSize = k > 5 ? 21 + 4 ** Math.ceil(Math.log(k * 3) / Math.log(4)) : 21
    if (length <= poolSize) {
      const pool = [...population]
      return Array.from({ length: k }, (_, index) => {
        const place = this.#below(length - index)
        const drawn = pool[place]!
        pool[place] = pool[length - index - 1]!
        return drawn
      })
    }
    const seen = new Set<number>()
    return Array.from({ length: k }, () => {
      let place = this.#below(length)
      while (seen.has(place)) place = this.#below(length)
      seen.add(place)
      return population[place]!
    })
  }

  /** Another order: `shuffle`, which leaves its list as it was. */
  shuffle<A>(list: readonly A[]): A[] {
    const shuffled = [...list]
    for (let index = shuffled.length - 1; index > 0; index--) {
      const place = this.#below(index + 1)
      const kept = shuffled[index]!
      shuffled[index] = shuffled[place]!
      shuffled[place] = kept
    }
    return shuffled
  }

  /** A whole number from 0 to below n, drawn again until it is small enough. */
  #below(n: number): number {
    const k = 32 - Math.clz32(n)
    let drawn = this.bits(k)
    while (drawn >= n) drawn = this.bits(k)
    return drawn
  }

  #initialize(key: readonly number[]): void {
    const state = this.#state
    state[0] = 19650218
    for (let i = 1; i < words; i++) state[i] = Math.imul(1812433253, before(state, i)) + i
    let i = 1
    let j = 0
    for (let k = Math.max(words, key.length); k > 0; k--) {
      state[i] = (state[i]! ^ Math.imul(before(state, i), 1664525)) + key[j]! + j
      i += 1
      j = (j + 1) % key.length
      if (i >= words) {
        state[0] = state[words - 1]!
        i = 1
      }
    }
    for (let k = words - 1; k > 0; k--) {
      state[i] = (state[i]! ^ Math.imul(before(state, i), 1566083941)) - i
      i += 1
      if (i >= words) {
        state[0] = state[words - 1]!
        i = 1
      }
    }
    state[0] = 0x80000000
  }

  #word(): number {
    if (this.#next >= words) this.#renew()
    let word = this.#state[this.#next]!
    this.#next += 1
    word ^= word >>> 11
    word ^= (word << 7) & 0x9d2c5680
    word ^= (word << 15) & 0xefc60000
    return (word ^ (word >>> 18)) >>> 0
  }

  #renew(): void {
    const state = this.#state
    for (let i = 0; i < words; i++) {
      const joined = (state[i]! & 0x80000000) | (state[(i + 1) % words]! & 0x7fffffff)
      state[i] = state[(i + middle) % words]! ^ (joined >>> 1) ^ ((joined & 1) === 0 ? 0 : 0x9908b0df)
    }
    this.#next = 0
  }
}

/** The word before the i-th, mixed with its own high bits. */
const before = (state: Uint32Array, i: number): number => state[i - 1]! ^ (state[i - 1]! >>> 30)
