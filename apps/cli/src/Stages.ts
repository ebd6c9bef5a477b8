import type { RunEvent } from "@tandem/runs/RunEvent"

/** The stages of a run from data to index, in their order, by what begins them. */
const stages: readonly { readonly name: string; readonly begins: (event: RunEvent) => boolean }[] = [
  { name: "data and model", begins: () => true },
  { name: "measuring BM25 and the untrained encoder", begins: isPhase("measuring bm25") },
  { name: "training", begins: ({ event }) => event === "step" },
  { name: "saving and indexing", begins: isPhase("saving the model") },
]

function isPhase(name: string): (event: RunEvent) => boolean {
  return (event) => event.event === "phase" && event.name === name
}

/** Hears of a run's events and announces the stage that one begins: `2/4  measuring …`. */
export const announceStages = (announce: (line: string) => void): ((event: RunEvent) => void) => {
  let next = 0
  return (event) => {
    const found = stages.findLastIndex(({ begins }, place) => place >= next && begins(event))
    if (found < next) return
    next = found + 1
    announce(`${next}/${stages.length}  ${stages[found]!.name}`)
  }
}
