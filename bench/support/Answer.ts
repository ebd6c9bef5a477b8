// How a side in TypeScript answers: one line of JSON when it is ready, then one for each line that it reads.
import { createInterface } from "node:readline"
import { peakMemoryMiB } from "./Memory.ts"
import type { Product } from "./Products.ts"

export interface Worked {
  /** Of one unit of work. */
  readonly seconds: number
  /** Numbers to compare with the other side's. */
  readonly values: readonly number[]
}

export interface Prepared {
  /** The products of one unit of work, to be measured alone beside it. */
  readonly products?: readonly Product[]
  /** Further figures of the preparation, by what they are. */
  readonly notes?: Readonly<Record<string, number>>
}

/** Works a round each time it is told to. */
export const answer = async (round: () => Promise<Worked>, prepared: Prepared = {}): Promise<void> => {
  const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
  say({ versions: { node: process.versions.node }, peakMemoryMiB: peakMemoryMiB(), ...prepared })
  for await (const _ of createInterface({ input: process.stdin })) {
    const result = await round()
    say({ ...result, peakMemoryMiB: peakMemoryMiB() })
  }
}
