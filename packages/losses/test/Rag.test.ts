import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  type LabelSmoothing,
  marginalLogProbabilities,
  passagePosterior,
  ragSequence,
  ragToken,
  ragTokenRenewed,
  retrievalLogPrior,
} from "@tandem/losses"
import { type Dims, type ElementType, GraphBuilder, InvalidGraph, type Value } from "@tandem/onnx"

interface Shapes {
  readonly prior?: Dims
  readonly likelihood?: Dims
  readonly mask?: Dims
  readonly maskType?: ElementType
}

const inputsOf = ({ prior = [2, 3], likelihood = [2, 3, 7], mask = [2, 7], maskType = "bool" }: Shapes) => {
  const g = new GraphBuilder()
  return {
    g,
    logPrior: g.input("log_prior", "float32", prior),
    logLikelihood: g.input("log_likelihood", "float32", likelihood),
    mask: g.input("mask", maskType, mask),
  }
}

const refused = (field: string, body: () => unknown): void =>
  assert.throws(body, (error) => error instanceof InvalidGraph && error.field === field)

const dimsOf = (g: GraphBuilder, outputs: Readonly<Record<string, Value>>) =>
  Object.fromEntries(g.build({ ...outputs }).outputs.map(({ name, dims }) => [name, dims]))

describe("graphs of losses over passages", () => {
  it("have the promised shapes", () => {
    const { g, ...inputs } = inputsOf({})
    const shared = { loss: [], perExample: [2], logLikelihood: [2], counts: [2], nllPerToken: [] }
    assert.deepEqual(dimsOf(g, { ...ragSequence(g, inputs) }), { ...shared, posterior: [2, 3] })
    assert.deepEqual(dimsOf(g, { ...ragToken(g, inputs) }), { ...shared, perToken: [2, 7], posterior: [2, 7, 3] })
    assert.deepEqual(passagePosterior(g, inputs.logPrior, inputs.logPrior).dims, [2, 3])
  })

  it("take masks of numbers", () => {
    const { g, ...inputs } = inputsOf({ maskType: "float32" })
    assert.deepEqual(ragSequence(g, inputs).loss.dims, [])
  })

  it("are refused where shapes or types do not fit", () => {
    for (const [field, shapes] of [
      ["logPrior", { prior: [2, 4] }],
      ["logPrior", { prior: [3, 3] }],
      ["logLikelihood", { likelihood: [6, 7] }],
      ["logLikelihood", { likelihood: [2, 0, 7], prior: [2, 0] }],
      ["logLikelihood", { likelihood: ["batch", 3, 7] }],
      ["mask", { mask: [2, 8] }],
      ["mask", { mask: [2, 3, 7] }],
      ["mask", { maskType: "int64" }],
    ] as const) {
      for (const loss of [ragSequence, ragToken]) {
        const { g, ...inputs } = inputsOf(shapes)
        refused(field, () => loss(g, inputs))
      }
    }
  })

  it("are refused where labels are smoothed by what makes no sense", () => {
    const { g, ...inputs } = inputsOf({})
    const sums = g.input("sums", "float32", [2, 3, 7])
    const usual: LabelSmoothing = { epsilon: 0.1, vocabularySize: 50, vocabularySums: sums }
    for (const epsilon of [-0.1, 1, Number.NaN])
      refused("epsilon", () => ragSequence(g, inputs, { smoothing: { ...usual, epsilon } }))
    for (const vocabularySize of [0, 1.5, Number.NaN])
      refused("vocabularySize", () => ragSequence(g, inputs, { smoothing: { ...usual, vocabularySize } }))
    refused("vocabularySums", () => ragToken(g, inputs, { smoothing: usual }))
  })

  it("do not compute the vocabulary's sums without smoothing", () => {
    const { g, ...inputs } = inputsOf({})
    const { loss } = ragToken(g, inputs)
    assert.equal(g.build({ loss }).nodes.filter(({ op }) => op === "LogSoftmax").length, 0)
  })
})

describe("graphs of a prior", () => {
  it("keep the scores' shape, whatever it is before the passages", () => {
    const g = new GraphBuilder()
    const scores = g.input("scores", "float32", [2, 4, 3])
    const present = g.input("present", "bool", [2, 4, 3])
    assert.deepEqual(retrievalLogPrior(g, scores, { temperature: 0.05, present }).dims, [2, 4, 3])
  })

  it("are refused where the temperature is no positive number or the mask does not fit", () => {
    const g = new GraphBuilder()
    const scores = g.input("scores", "float32", [2, 3])
    for (const temperature of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      refused("temperature", () => retrievalLogPrior(g, scores, { temperature }))
    const present = g.input("present", "bool", [2, 4])
    refused("present", () => retrievalLogPrior(g, scores, { present }))
  })
})

describe("graphs of renewed retrieval", () => {
  const usual = { passages: [2, 4, 3], segments: [2, 16], logLikelihood: [2, 7, 16], mask: [2, 16] } as const
  const build = (dims: Readonly<Record<keyof typeof usual, Dims>>) => {
    const g = new GraphBuilder()
    const loss = () =>
      ragTokenRenewed(g, {
        logPrior: g.input("log_prior", "float32", [2, 4, 3]),
        passages: g.input("passages", "int64", dims.passages),
        segments: g.input("segments", "int64", dims.segments),
        logLikelihood: g.input("log_likelihood", "float32", dims.logLikelihood),
        mask: g.input("mask", "bool", dims.mask),
      })
    return { g, loss }
  }

  it("have the promised shapes", () => {
    const { loss, perToken, posterior, tokenLogPrior } = build(usual).loss()
    assert.deepEqual([loss.dims, perToken.dims], [[], [2, 16]])
    assert.deepEqual(
      [posterior.dims, tokenLogPrior.dims],
      [
        [2, 16, 3],
        [2, 16, 3],
      ],
    )
  })

  it("are refused where shapes do not fit", () => {
    refused("passages", build({ ...usual, passages: [2, 4, 2] }).loss)
    refused("segments", build({ ...usual, segments: [2, 15] }).loss)
    refused("logLikelihood", build({ ...usual, logLikelihood: [3, 7, 16] }).loss)
    refused("mask", build({ ...usual, mask: [2, 15] }).loss)
  })
})

describe("graphs of marginal log-probabilities", () => {
  it("have a distribution for each token of each question", () => {
    const g = new GraphBuilder()
    const logits = g.input("logits", "float32", [6, 12, 50])
    const logPrior = g.input("log_prior", "float32", [2, 3])
    assert.deepEqual(marginalLogProbabilities(g, { logPrior, logits }).dims, [2, 12, 50])
    const places = g.input("places", "int64", [2, 12, 3])
    const own = g.input("token_log_prior", "float32", [2, 12, 3])
    const flat = g.input("flat", "float32", [40, 50])
    assert.deepEqual(marginalLogProbabilities(g, { logPrior: own, logits: flat, places }).dims, [2, 12, 50])
    refused("logits", () => marginalLogProbabilities(g, { logPrior: g.input("p", "float32", [2, 4]), logits }))
    refused("places", () =>
      marginalLogProbabilities(g, { logPrior: own, logits: flat, places: g.input("q", "int64", [2, 12, 2]) }),
    )
  })
})
