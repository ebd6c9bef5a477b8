import { type Leaks, makeLeaks } from "../simulate/Leaks.ts"
import type { Finding, Verifier } from "./Finding.ts"
import { tellTales } from "./TellTales.ts"

const words: Readonly<Record<NonNullable<ReturnType<Leaks["leak"]>>, string>> = {
  "same text": "is the true chunk",
  "near duplicate": "says nearly what the true chunk does",
  overlap: "overlaps with the true chunk",
  neighbour: "stands next to the true chunk",
  answer: "holds words that the answer has from the true chunk",
}

/** Chunks of a failed retrieval that give the answer away, and a success whose true chunks are not shown. */
export const leakedContexts = (): Verifier => {
  const { leak } = makeLeaks()
  return (conversation): readonly Finding[] => {
    const { item } = conversation
    const truth = item.multi ?? [item.chunk]
    if (!item.failed)
      return truth
        .filter(({ id }) => !item.shown.some((chunk) => chunk.id === id))
        .map(({ id }) => ({ check: "leaked-context", detail: `the true chunk ${id} is not shown` }))
    const answers = tellTales(conversation)
    return item.shown.flatMap((shown): readonly Finding[] => {
      const kind = truth.map((chunk) => leak(chunk, shown, answers)).find((found) => found !== undefined)
      return kind === undefined ? [] : [{ check: "leaked-context", detail: `${shown.id} ${words[kind]}` }]
    })
  }
}
