import { Random } from "@tandem/random"
import type { InstructionExample } from "./InstructionExample.ts"

/** An instruction set, and how much of a mixture it is. */
export interface InstructionSet {
  readonly name: string
  readonly examples: readonly InstructionExample[]
  /** Above 0; rates are divided by their sum. */
  readonly rate: number
}

export interface MixOptions {
  readonly seed: number | string
  /** Examples to draw; default as many as all sets together have. */
  readonly count?: number
}

/** What a mixture took from a set. */
export interface MixedSet {
  readonly name: string
  readonly examples: number
  /** Of all draws; the rates' shares add up to 1. */
  readonly share: number
  readonly drawn: number
  /** `drawn / examples`: above 1 some were drawn again. */
  readonly epochs: number
}

export interface InstructionMix {
  /** In the order of the draws; each names its set. */
  readonly examples: readonly InstructionExample[]
  readonly sets: readonly MixedSet[]
}

/**
 * Draws examples from several instruction sets (RA-DIT, Lin et al. 2023): each draw takes a set with the probability of its
 * rate, and of the set the next example of a random order of its own. So no example of a set comes again before all of that
 * set have come; then a new order begins. The same seed draws the same, and a longer mixture begins as a shorter one does.
 *
 * Throws `RangeError` for no sets, a name twice, a set without examples, or a rate that is not above 0.
 *
 * @example
 * ```ts
 * import { instructionOf, mixInstructions } from "@tandem/datasets"
 *
 * const set = (name: string, size: number) =>
 *   Array.from({ length: size }, (_, at) =>
 *     instructionOf({ id: `${name}${at}`, query: "q", response: "r", positives: [], negatives: [], answers: [] }),
 *   )
 * const { sets } = mixInstructions(
 *   [
 *     { name: "dialogue", examples: set("d", 10), rate: 1 },
 *     { name: "reading", examples: set("r", 40), rate: 3 },
 *   ],
 *   { seed: 1 },
 * )
 * console.log(sets) // [{ name: "dialogue", examples: 10, share: 0.25, drawn: …, epochs: … }, …]
 * ```
 */
export const mixInstructions = (sets: readonly InstructionSet[], { seed, count }: MixOptions): InstructionMix => {
  requireSets(sets)
  const total = sets.reduce((sum, { rate }) => sum + rate, 0)
  const random = Random.fromSeed(seed)
  const orders = sets.map(({ name, examples }) => endlessOrder(random.derive("order", name), examples.length))
  const choice = random.derive("set")
  const drawn = sets.map(() => 0)
  const draws = count ?? sets.reduce((sum, { examples }) => sum + examples.length, 0)
  const examples = Array.from({ length: draws }, () => {
    const at = setAt(sets, choice.next() * total)
    drawn[at]!++
    const set = sets[at]!
    return { ...set.examples[orders[at]!()]!, set: set.name }
  })
  return {
    examples,
    sets: sets.map(({ name, examples: { length }, rate }, at) => ({
      name,
      examples: length,
      share: rate / total,
      drawn: drawn[at]!,
      epochs: drawn[at]! / length,
    })),
  }
}

/** The set whose stretch of the rates a point lies in. */
const setAt = (sets: readonly InstructionSet[], point: number): number => {
  let end = 0
  const at = sets.findIndex(({ rate }) => {
    end += rate
    return point < end
  })
  return at < 0 ? sets.length - 1 : at
}

/** Indices below `length`, all of them in a random order, then all in another one, and so on. */
const endlessOrder = (random: Random, length: number): (() => number) => {
  const indices = Array.from({ length }, (_, index) => index)
  let order: readonly number[] = []
  let next = 0
  return () => {
    if (next === order.length) {
      order = random.shuffle(indices)
      next = 0
    }
    return order[next++]!
  }
}

const requireSets = (sets: readonly InstructionSet[]): void => {
  if (sets.length === 0) throw new RangeError("there are no instruction sets to mix")
  const names = new Set<string>()
  for (const { name, examples, rate } of sets) {
    if (names.has(name)) throw new RangeError(`two instruction sets have the name ${name}`)
    names.add(name)
    if (examples.length === 0) throw new RangeError(`the instruction set ${name} has no examples`)
    if (!(rate > 0 && Number.isFinite(rate)))
      throw new RangeError(`the rate of the instruction set ${name} is ${rate}; a rate is above 0`)
  }
}
