import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { MissingGradient } from "@tandem/autodiff"
import { type LsrOptions, loop, lsr, lsrDefaults, lsrPresets, pdist } from "@tandem/losses"
import { noise, rows } from "./support/Data.ts"
import { close, discrepancy, type Loss, type TaughtCase, taught } from "./support/Retriever.ts"

const plain = { retrieverTemperature: 1, languageModelTemperature: 1 } as const

const lsrLoss =
  (options: LsrOptions): Loss =>
  (g, { scores, target, counts, present }) => ({
    ...lsr(g, { scores, logLikelihood: target, counts, present }, options),
  })

const softmax = (values: readonly number[]): readonly number[] => {
  const exponentials = values.map(Math.exp)
  const sum = exponentials.reduce((a, b) => a + b)
  return exponentials.map((value) => value / sum)
}

/** FedRAG's own test: the scores are probabilities already. */
const fedrag: TaughtCase = {
  scores: [
    [10, 5, 10 / 3],
    [20, 10, 20 / 3],
  ],
  target: [0, 1].map(() => softmax([0, 1, 2]).map(Math.log)),
}

const milder: TaughtCase = {
  scores: [
    [0.8, 0.6, 0.1],
    [0.2, 0.5, 0.4],
  ],
  target: [
    [-12, -8, -20],
    [-3, -9, -6],
  ],
  counts: [8, 3],
}

describe("lsr has the reference's numbers", () => {
  it("FedRAG's test, in its direction", async () => {
    const { loss, perQuery, ...rest } = await taught(fedrag, lsrLoss(lsrPresets.fedrag.settings))
    close(loss, [5.661825153], 5e-6)
    close(perQuery, [3.42404077, 7.89960953], 5e-6)
    close(rest["grad.scores"], [0.36927771, -0.14461237, -0.22466534, 0.37322767, -0.14793187, -0.22529579])
  })

  it("FedRAG's test, in the printed direction", async () => {
    const { loss, ...rest } = await taught(fedrag, lsrLoss(lsrPresets.paper.settings))
    close(loss, [1.346346569])
    close(rest["grad.scores"], [0.021626, -0.017082, -0.004544, 0.00024175, -0.00023049, -0.00001126])
  })

  it("likelihoods of a real answer, as probabilities and by token", async () => {
    const answer = { scores: [[1, 2, 3]], target: [[-40, -30, -35]], counts: [10] }
    const targetOf = async (options: LsrOptions) =>
      (await taught(answer, lsrLoss({ ...options, flatBelow: 0 })))["logTarget"]!.map(Math.exp)
    close(await targetOf({ ...plain, score: "prob" }), [1 / 3, 1 / 3, 1 / 3])
    close(await targetOf({ ...plain, score: "meanLogprob" }), [0.1863, 0.5065, 0.3072], 5e-5)
    close(await targetOf({ ...plain, score: "logprob" }), softmax([-10, 0, -5]))
  })

  it("the default settings", async () => {
    const { loss, perQuery, ...rest } = await taught(milder, lsrLoss(lsrDefaults("dot")))
    close(perQuery, [0.08139734, 0.41444729])
    close(loss, [(0.08139734 + 0.41444729) / 2])
    close(rest["grad.scores"], [0.03955984, -0.09137643, 0.0518166, -0.17917481, 0.19281416, -0.01363935])
    const sharper = await taught(milder, lsrLoss({ retrieverTemperature: 0.05, languageModelTemperature: 0.5 }))
    close(sharper["perQuery"], [1.2409207, 3.51626456], 5e-6)
    assert.equal(lsrDefaults("cosine").retrieverTemperature, 0.05)
  })

  it("Atlas' perplexity distillation", async () => {
    const atlas: TaughtCase = {
      scores: [
        [0.2, 0.1, 0.05],
        [0, 0.3, 0.15],
      ],
      target: [
        [-1, -2, -1.5],
        [-0.5, -0.7, -3],
      ],
    }
    for (const [temperature, expected] of [
      [1, 0.0576287638],
      [0.1, 0.4920245412],
    ] as const) {
      const options = { retrieverTemperature: temperature, languageModelTemperature: temperature }
      const { loss } = await taught(atlas, (g, { scores, target, counts }) => ({
        ...pdist(g, { scores, logLikelihood: target, counts }, options),
      }))
      close([loss![0]! / 3], [expected])
    }
  })
})

const random = (k: number): TaughtCase => ({
  scores: rows(3, k, 1),
  target: rows(3, k, 2).map((row) => row.map((x) => 5 * x - 6)),
  counts: [2, 5, 1],
})

const variants: readonly LsrOptions[] = (["retriever-lm", "lm-retriever"] as const).flatMap((direction) =>
  (["prob", "logprob", "meanLogprob"] as const).map((score) => ({
    direction,
    score,
    retrieverTemperature: 0.4,
    languageModelTemperature: 0.7,
  })),
)

describe("lsr", () => {
  it("has gradients that are derivatives of its value", async () => {
    for (const options of variants) {
      const error = await discrepancy(random(4), lsrLoss(options))
      assert.ok(error < 1e-2, `${JSON.stringify(options)}: relative error ${error}`)
    }
  })

  it("in the direction of the codes has a gradient of prior less target", async () => {
    const found = await taught(random(4), lsrLoss({ ...variants[5]!, reduction: "sum" }))
    const expected = found["logPrior"]!.map((log, at) => (Math.exp(log) - Math.exp(found["logTarget"]![at]!)) / 0.4)
    close(found["grad.scores"], expected, 1e-5)
  })

  it("gives the language model nothing, and finds out a retriever that came back as plain numbers", async () => {
    for (const options of variants) {
      await assert.rejects(async () => taught(random(4), lsrLoss(options), ["target"]), MissingGradient)
      const half: Loss = (g, values) => {
        const copied = g.constant({ type: "float32", dims: [3, 4], data: Float32Array.from(rows(3, 4, 1).flat()) })
        return lsrLoss(options)(g, { ...values, scores: g.mul(g.add(values.scores, copied), g.scalar(0.5)) })
      }
      assert.ok((await discrepancy(random(4), half, lsrLoss(options))) > 0.1)
    }
  })

  it("finds out a wrong sign and the other direction", async () => {
    const [first, second] = [variants[2]!, variants[5]!]
    const turned: Loss = (g, values) => ({ loss: g.neg(lsrLoss(first)(g, values)["loss"]!) })
    assert.ok((await discrepancy(random(4), turned, lsrLoss(first))) > 1)
    assert.ok((await discrepancy(random(4), lsrLoss(second), lsrLoss(first))) > 0.1)
  })

  it("does not see a candidate that is not there, nor a shift of all scores, nor their order", async () => {
    for (const options of variants) {
      const each = random(4)
      const whole = await taught(each, lsrLoss(options))
      const shifted = { ...each, scores: each.scores.map((row) => row.map((x) => x + 3)) }
      close((await taught(shifted, lsrLoss(options)))["perQuery"], whole["perQuery"]!, 1e-5)
      const turned = { ...each, scores: each.scores.map(reversed), target: each.target.map(reversed) }
      close((await taught(turned, lsrLoss(options)))["perQuery"], whole["perQuery"]!, 1e-5)
      const filled: TaughtCase = {
        ...each,
        scores: each.scores.map((row) => [...row, 50]),
        target: each.target.map((row) => [...row, Number.NaN]),
        present: each.scores.map((row) => [...row.map(() => true), false]),
      }
      const found = await taught(filled, lsrLoss(options))
      close(found["perQuery"], whole["perQuery"]!, 1e-6)
      for (const row of [0, 1, 2]) {
        assert.equal(Math.abs(found["grad.scores"]![row * 5 + 4]!), 0)
        close(found["grad.scores"]!.slice(row * 5, row * 5 + 4), whole["grad.scores"]!.slice(row * 4, row * 4 + 4))
      }
    }
  })

  it("is 0 with a gradient of 0 where both agree", async () => {
    const target = rows(2, 3, 4)
    for (const direction of ["retriever-lm", "lm-retriever"] as const) {
      const found = await taught({ scores: target, target }, lsrLoss({ ...plain, direction, score: "logprob" }))
      close(found["loss"], [0])
      close(found["grad.scores"], Array<number>(6).fill(0))
    }
  })

  it("leaves queries with a flat target, or with no candidate, out of the mean", async () => {
    const each: TaughtCase = {
      scores: rows(4, 3, 6),
      target: [[-40, -30, -35], [-2, -2, -2], [-1, -3, -2], noise(3, 7)],
      present: [...[0, 1, 2].map(() => [true, true, true]), [false, false, false]],
    }
    for (const direction of ["retriever-lm", "lm-retriever"] as const) {
      const options = { ...plain, direction, score: "prob" } as const
      const found = await taught(each, lsrLoss(options))
      assert.deepEqual(found["trained"], [0, 0, 1, 0])
      assert.deepEqual(
        [0, 1, 3].map((row) => found["perQuery"]![row]),
        [0, 0, 0],
      )
      close(found["loss"], [found["perQuery"]![2]!])
      for (const row of [0, 1, 3]) {
        assert.deepEqual(found["grad.scores"]!.slice(row * 3, row * 3 + 3).map(Math.abs), [0, 0, 0])
      }
      const all = await taught(each, lsrLoss({ ...options, flatBelow: 0 }))
      assert.deepEqual(all["trained"], [1, 1, 1, 0])
      assert.ok(all["perQuery"]![0]! > 1e-3)
      const none = await taught(each, lsrLoss({ ...options, flatBelow: 2 }))
      assert.deepEqual([none["loss"], none["trained"]], [[0], [0, 0, 0, 0]])
    }
  })

  it("of one candidate, and of answers without a token, is 0", async () => {
    const single = await taught({ scores: [[2]], target: [[-3]] }, lsrLoss({ ...plain, flatBelow: 0 }))
    assert.deepEqual([single["loss"]!.map(Math.abs), single["grad.scores"]!.map(Math.abs)], [[0], [0]])
    const empty = await taught({ scores: [[2, 1]], target: [[0, 0]], counts: [0] }, lsrLoss(plain))
    assert.deepEqual([empty["loss"], empty["trained"]], [[0], [0]])
  })

  it("stays finite at temperatures that make the target one-hot", async () => {
    for (const direction of ["retriever-lm", "lm-retriever"] as const) {
      const options = {
        retrieverTemperature: 0.001,
        languageModelTemperature: 0.0001,
        direction,
        score: "logprob",
      } as const
      const found = await taught(milder, lsrLoss(options))
      for (const [name, values] of Object.entries(found)) assert.ok(values.every(Number.isFinite), name)
    }
  })

  it("has presets that say what they change", () => {
    for (const { settings, difference } of Object.values(lsrPresets)) {
      assert.equal(settings.score, "prob")
      assert.match(difference, /`prob`.*`meanLogprob`/)
    }
    assert.deepEqual(lsrDefaults("dot"), { ...plain, direction: "retriever-lm", score: "meanLogprob" })
  })
})

const reversed = (row: readonly number[]): readonly number[] => [...row].reverse()

describe("loop", () => {
  const loopLoss: Loss = (g, { scores, target, counts, present }) => ({
    ...loop(
      g,
      { scores, leaveOneOut: target, counts, present },
      { retrieverTemperature: 0.5, languageModelTemperature: 2 },
    ),
  })

  it("targets the passages without which the answer's loss is high", async () => {
    const { logTarget, perQuery, logPrior } = await taught(milder, loopLoss)
    const targets = milder.target.map((row, index) => softmax(row.map((l) => -l / milder.counts![index]! / 2)))
    close(logTarget?.map(Math.exp), targets.flat())
    const expected = targets.map((target, row) =>
      target.reduce((sum, p, i) => sum + p * (Math.log(p) - logPrior![row * 3 + i]!), 0),
    )
    close(perQuery, expected)
  })

  it("has gradients that are derivatives of its value, and none for the language model", async () => {
    assert.ok((await discrepancy(random(4), loopLoss)) < 1e-2)
    await assert.rejects(async () => taught(random(4), loopLoss, ["target"]), MissingGradient)
  })
})
