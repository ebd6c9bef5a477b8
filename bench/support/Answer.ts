// How a side in TypeScript answers: one line of JSON when it is ready, then one for each line that it reads.
import { createInterface } from "node:readline"

/** `round` works one round and tells seconds of a unit of work and the values to compare. */
export const answer = async (round: () => Promise<{ seconds: number; values: readonly number[] }>): Promise<void> => {
  const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
  say({ versions: { node: process.versions.node } })
  for await (const _ of createInterface({ input: process.stdin })) {
    const result = await round()
    say({ ...result, peakMemoryMiB: process.resourceUsage().maxRSS / 1024 })
  }
}
