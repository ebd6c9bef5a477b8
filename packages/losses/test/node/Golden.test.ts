import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { inBatchNll } from "@tandem/losses"
import { bool, float32, type GraphBuilder, type Tensor, type Value } from "@tandem/onnx"
import { Schema } from "effect"
import { graphOver, largestDifference, matrix, runWithGradients } from "./support/Run.ts"

const Numbers = Schema.Array(Schema.Array(Schema.Number))
const Case = Schema.Struct({
  name: Schema.String,
  options: Schema.Struct({
    similarity: Schema.Literals(["dot", "cosine"]),
    temperature: Schema.Number,
    symmetric: Schema.Boolean,
    multiPositive: Schema.NullOr(Schema.Literals(["exclude", "sum", "mean"])),
  }),
  queries: Numbers,
  passages: Numbers,
  scores: Numbers,
  perQuery: Schema.Array(Schema.Number),
  loss: Schema.Number,
  queryGradient: Numbers,
  passageGradient: Numbers,
  scaleGradient: Schema.Number,
  relevant: Schema.optional(Schema.Array(Schema.Array(Schema.Boolean))),
})
type Case = typeof Case.Type

const file = new URL("../../../../test/golden/in-batch-nll.json", import.meta.url)
const { cases } = Schema.decodeUnknownSync(Schema.Struct({ cases: Schema.Array(Case) }))(
  JSON.parse(readFileSync(file, "utf8")),
)

const feedsOf = ({ queries, passages, options, relevant }: Case): Readonly<Record<string, Tensor>> => ({
  queries: matrix(queries),
  passages: matrix(passages),
  scale: float32([], [1 / options.temperature]),
  ...(relevant === undefined ? {} : { relevant: bool([relevant.length, relevant[0]?.length ?? 0], relevant.flat()) }),
})

const build = (g: GraphBuilder, values: Readonly<Record<string, Value>>, { options }: Case, learnable: boolean) => {
  const { queries, passages, scale, relevant } = values
  assert.ok(queries !== undefined && passages !== undefined && scale !== undefined)
  return inBatchNll(
    g,
    {
      queries,
      passages,
      ...(relevant === undefined ? {} : { relevant }),
      ...(learnable ? { scale } : {}),
    },
    {
      similarity: options.similarity,
      symmetric: options.symmetric,
      multiPositive: options.multiPositive ?? "exclude",
      ...(learnable ? {} : { temperature: options.temperature }),
    },
  )
}

/** Runs a case, its loss changed by `distort`, and says how far value and gradients are from the fixture's. */
const errorsOf = async (
  golden: Case,
  learnable: boolean,
  distort: (g: GraphBuilder, loss: Value) => Value = (_, loss) => loss,
): Promise<Readonly<Record<string, number>>> => {
  const feeds = feedsOf(golden)
  const graph = graphOver(feeds, (g, values) => {
    const { loss, perQuery, scores } = build(g, values, golden, learnable)
    return { loss: distort(g, loss), perQuery, scores }
  })
  const wrt = ["queries", "passages", ...(learnable ? ["scale"] : [])]
  const found = await runWithGradients(graph, feeds, wrt)
  const gradients = { queries: golden.queryGradient.flat(), passages: golden.passageGradient.flat() }
  const largest = Math.max(...Object.values(gradients).flat().map(Math.abs), 1e-3)
  const values = Math.max(1, ...golden.scores.flat().map(Math.abs))
  return {
    loss: largestDifference(found["loss"], [golden.loss]) / values,
    perQuery: largestDifference(found["perQuery"], golden.perQuery) / values,
    scores: largestDifference(found["scores"], golden.scores.flat()) / values,
    queries: largestDifference(found["grad.queries"], gradients.queries) / largest,
    passages: largestDifference(found["grad.passages"], gradients.passages) / largest,
    ...(learnable ? { scale: largestDifference(found["grad.scale"], [golden.scaleGradient]) } : {}),
  }
}

const tolerance = 3e-6

describe("inBatchNll against PyTorch in float64", () => {
  for (const golden of cases) {
    it(golden.name, async () => {
      for (const learnable of [false, true]) {
        for (const [what, error] of Object.entries(await errorsOf(golden, learnable))) {
          assert.ok(error < tolerance, `${what} is ${error} away${learnable ? ", scale as an input" : ""}`)
        }
      }
    })
  }

  it("would notice a wrong sign, and a factor of 1.001", async () => {
    const [first] = cases
    assert.ok(first !== undefined)
    const negated = await errorsOf(first, false, (g, loss) => g.neg(loss))
    assert.ok(negated["loss"]! > 1e-2 && negated["queries"]! > 1 && negated["passages"]! > 1)
    const doubled = await errorsOf(first, false, (g, loss) => g.mul(loss, g.scalar(1.001)))
    assert.ok(doubled["queries"]! > 100 * tolerance)
  })
})
