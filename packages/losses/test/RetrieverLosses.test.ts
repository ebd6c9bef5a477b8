import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  emdr2,
  loop,
  lsr,
  marginMse,
  pdist,
  priorDiagnostics,
  scoreDistillation,
  targetDiagnostics,
} from "@tandem/losses"
import { type Dims, GraphBuilder, InvalidGraph } from "@tandem/onnx"

const temperatures = { retrieverTemperature: 1, languageModelTemperature: 1 } as const
const distilled = { retrieverTemperature: 1, teacherTemperature: 1 } as const

interface Shapes {
  readonly scores?: Dims
  readonly other?: Dims
  readonly counts?: Dims
  readonly present?: Dims
}

const inputsOf = ({ scores = [2, 4], other = [2, 4], counts = [2], present = [2, 4] }: Shapes = {}) => {
  const g = new GraphBuilder()
  return {
    g,
    scores: g.input("scores", "float32", scores),
    other: g.input("other", "float32", other),
    counts: g.input("counts", "float32", counts),
    present: g.input("present", "bool", present),
  }
}

const refused = (field: string, body: () => unknown): void =>
  assert.throws(body, (error) => error instanceof InvalidGraph && error.field === field)

/** Every loss that teaches a retriever. */
const losses = {
  lsr: ({ g, other, ...rest }: ReturnType<typeof inputsOf>) => lsr(g, { ...rest, logLikelihood: other }, temperatures),
  pdist: ({ g, other, ...rest }: ReturnType<typeof inputsOf>) =>
    pdist(g, { ...rest, logLikelihood: other }, temperatures),
  loop: ({ g, other, ...rest }: ReturnType<typeof inputsOf>) => loop(g, { ...rest, leaveOneOut: other }, temperatures),
  scoreDistillation: ({ g, other, scores, present }: ReturnType<typeof inputsOf>) =>
    scoreDistillation(g, { scores, present, teacher: other }, distilled),
}

describe("graphs of losses that teach a retriever", () => {
  for (const [name, loss] of Object.entries(losses)) {
    it(`have the promised shapes: ${name}`, () => {
      const found = loss(inputsOf())
      const dims = Object.fromEntries(Object.entries(found).map(([key, value]) => [key, value.dims]))
      assert.deepEqual(dims, { loss: [], perQuery: [2], logPrior: [2, 4], logTarget: [2, 4], trained: [2] })
    })

    it(`are refused where shapes do not fit: ${name}`, () => {
      refused("scores", () => loss(inputsOf({ scores: [4], other: [4], present: [4] })))
      refused("scores", () => loss(inputsOf({ scores: ["queries", 4] })))
      refused("present", () => loss(inputsOf({ present: [2, 3] })))
      assert.throws(() => loss(inputsOf({ other: [2, 3] })), InvalidGraph)
    })
  }

  it("are refused without what the score needs", () => {
    const { g, scores, other } = inputsOf()
    refused("counts", () => lsr(g, { scores, logLikelihood: other }, temperatures))
    assert.deepEqual(lsr(g, { scores, logLikelihood: other }, { ...temperatures, score: "logprob" }).loss.dims, [])
    refused("counts", () => losses.lsr(inputsOf({ counts: [3] })))
  })

  it("are refused where a number makes no sense", () => {
    const { g, other, scores, counts } = inputsOf()
    const inputs = { scores, counts, logLikelihood: other }
    for (const number of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      refused("retrieverTemperature", () => lsr(g, inputs, { ...temperatures, retrieverTemperature: number }))
      refused("languageModelTemperature", () => lsr(g, inputs, { ...temperatures, languageModelTemperature: number }))
      refused("teacherTemperature", () =>
        scoreDistillation(g, { scores, teacher: other }, { ...distilled, teacherTemperature: number }),
      )
    }
    for (const flatBelow of [-1, Number.NaN]) refused("flatBelow", () => lsr(g, inputs, { ...temperatures, flatBelow }))
  })

  it("of margins need a negative", () => {
    const { g, scores, other } = inputsOf()
    assert.deepEqual(marginMse(g, { scores, teacher: other }).errors.dims, [2, 3])
    const single = inputsOf({ scores: [2, 1], other: [2, 1] })
    refused("scores", () => marginMse(single.g, { scores: single.scores, teacher: single.other }))
    const wrong = inputsOf({ other: [2, 3] })
    refused("teacher", () => marginMse(wrong.g, { scores: wrong.scores, teacher: wrong.other }))
  })

  it("of marginal likelihoods keep the posterior of their level", () => {
    const g = new GraphBuilder()
    const logPrior = g.input("log_prior", "float32", [2, 4])
    const logLikelihood = g.input("log_likelihood", "float32", [2, 4, 7])
    const mask = g.input("mask", "bool", [2, 7])
    const inputs = { logPrior, logLikelihood, mask }
    assert.deepEqual(emdr2(g, inputs).posterior.dims, [2, 4])
    assert.deepEqual(emdr2(g, inputs, { level: "token" }).posterior.dims, [2, 7, 4])
  })
})

describe("graphs of diagnostics", () => {
  it("have the promised shapes", () => {
    const { g, scores, other, present } = inputsOf()
    const { entropy, meanEntropy } = priorDiagnostics(g, { logPrior: scores })
    assert.deepEqual([entropy.dims, meanEntropy.dims], [[2], []])
    const { rank, ...scalars } = targetDiagnostics(g, { logPrior: scores, logTarget: other, present })
    assert.deepEqual(rank.dims, [2])
    for (const value of Object.values(scalars)) assert.deepEqual(value.dims, [])
  })

  it("are refused where shapes do not fit", () => {
    const { g, scores, other } = inputsOf({ other: [2, 3] })
    refused("logTarget", () => targetDiagnostics(g, { logPrior: scores, logTarget: other }))
    refused("present", () => priorDiagnostics(g, { logPrior: scores, present: other }))
  })
})
