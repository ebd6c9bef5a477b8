import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Disconnected, MissingGradient } from "@tandem/autodiff"
import { emdr2, ragSequence, ragToken } from "@tandem/losses"
import { feedsOf, padding, ragInputs, reference } from "./support/Rag.ts"
import { graphOver, largestDifference, runWithGradients } from "./support/Run.ts"

const feeds = feedsOf(
  reference([
    [0, 3, 2, padding],
    [0, 4, padding, padding],
  ]),
)

const graphOf = (kind: "emdr2" | "rag", level: "sequence" | "token") =>
  graphOver(feeds, (g, { scores, present, logits, targets, mask }) => {
    assert.ok(scores && present && logits && targets && mask)
    const { answers } = ragInputs(g, { scores, present, logits, targets, mask })
    if (kind === "emdr2") return { ...emdr2(g, answers, { level, reduction: "sum" }) }
    return { ...(level === "sequence" ? ragSequence : ragToken)(g, answers, { reduction: "sum" }) }
  })

describe("emdr2", () => {
  for (const level of ["sequence", "token"] as const) {
    it(`by ${level} has the value of the marginal likelihood and its gradient by the scores`, async () => {
      const found = await runWithGradients(graphOf("emdr2", level), feeds, ["scores"])
      const whole = await runWithGradients(graphOf("rag", level), feeds, ["scores"])
      for (const name of ["loss", "perExample", "posterior", "grad.scores"]) {
        assert.ok(largestDifference(found[name], whole[name]) < 1e-6, name)
      }
    })

    it(`by ${level} teaches the generator nothing`, async () => {
      await assert.rejects(
        async () => runWithGradients(graphOf("emdr2", level), feeds, ["logits"]),
        (error) => error instanceof MissingGradient || error instanceof Disconnected,
      )
    })
  }
})
