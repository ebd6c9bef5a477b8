import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { priorDiagnostics, retrievalLogPrior, targetDiagnostics } from "@tandem/losses"
import { close, type TaughtCase, taughtFeeds } from "./support/Retriever.ts"
import { graphOver, run } from "./support/Run.ts"

const diagnose = (each: TaughtCase) => {
  const feeds = taughtFeeds(each)
  const graph = graphOver(feeds, (g, { scores, target, present }) => {
    assert.ok(scores && target && present)
    const logPrior = retrievalLogPrior(g, scores, { present })
    const logTarget = retrievalLogPrior(g, target, { present })
    return {
      ...priorDiagnostics(g, { logPrior, present }),
      ...targetDiagnostics(g, { logPrior, logTarget, present }),
    }
  })
  return run(graph, feeds)
}

describe("diagnostics of a retriever's distribution", () => {
  it("count entropies, flat and one-hot targets, ranks and agreement", async () => {
    const found = await diagnose({
      scores: [
        [3, 2, 1],
        [1, 2, 3],
        [0, 0, 0],
        [5, 1, 9],
        [2, 2, 2],
      ],
      target: [
        [9, -9, -9],
        [1, 0, 0],
        [0, 0, 0],
        [1, 2, 7],
        [0, 0, 0],
      ],
      present: [...[0, 1, 2].map(() => [true, true, true]), [true, true, false], [false, false, false]],
    })
    // Of the second query the target's best is last; the third tells nothing apart; of the fourth it is the second of two
    assert.deepEqual(found["rank"]!.slice(0, 4), [1, 3, 3, 2])
    close(found["meanRank"], [9 / 4])
    close(found["agreement"], [1 / 4])
    close(found["flatShare"], [1 / 4])
    close(found["oneHotShare"], [1 / 4])
    close([found["entropy"]![2]!], [Math.log(3)])
    close(found["meanEntropy"], [found["entropy"]!.slice(0, 4).reduce((a, b) => a + b) / 4])
    for (const values of Object.values(found)) assert.ok(values.every(Number.isFinite))
  })

  it("of no query at all are 0", async () => {
    const found = await diagnose({ scores: [[1, 2]], target: [[1, 2]], present: [[false, false]] })
    for (const name of ["meanEntropy", "targetEntropy", "flatShare", "oneHotShare", "meanRank", "agreement"])
      assert.deepEqual(found[name]!.map(Math.abs), [0], name)
  })
})
