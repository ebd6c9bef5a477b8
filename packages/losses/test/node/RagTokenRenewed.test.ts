import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { marginalLogProbabilities, ragToken, ragTokenRenewed, retrievalLogPrior } from "@tandem/losses"
import { bool, float32, int64, type Tensor } from "@tandem/onnx"
import { inner, moved, noise } from "./support/Data.ts"
import { graphOver, largestDifference, run, runWithGradients } from "./support/Run.ts"

type Name = "scores" | "present" | "passages" | "segments" | "likelihoods" | "mask"
type Feeds = Readonly<Record<Name, Tensor>>

const graphOf = (feeds: Feeds) =>
  graphOver(feeds, (g, { scores, present, passages, segments, likelihoods, mask }) => {
    assert.ok(scores && present && passages && segments && likelihoods && mask)
    const logPrior = retrievalLogPrior(g, scores, { present })
    return { ...ragTokenRenewed(g, { logPrior, passages, segments, logLikelihood: likelihoods, mask }) }
  })

const outputsOf = (feeds: Feeds) => runWithGradients(graphOf(feeds), feeds, ["scores", "likelihoods"])

const close = (found: readonly number[] | undefined, expected: readonly number[], tolerance = 2e-6): void =>
  assert.ok(largestDifference(found, expected) < tolerance, `${found} instead of ${expected}`)

/** All places hold a passage, all tokens are real. */
const full = (feeds: Readonly<Record<Exclude<Name, "present" | "mask">, Tensor>>): Feeds => ({
  ...feeds,
  present: bool(feeds.scores.dims, Array<boolean>(feeds.scores.data.length).fill(true)),
  mask: bool(feeds.segments.dims, Array<boolean>(feeds.segments.data.length).fill(true)),
})

/** 2 questions, 3 retrievals of 2 passages each, 5 tokens, 4 passages in all. */
const plain = full({
  scores: float32([2, 3, 2], noise(12, 1)),
  passages: int64([2, 3, 2], [0, 1, 1, 2, 3, 0, 2, 1, 0, 3, 2, 3]),
  segments: int64([2, 5], [0, 0, 1, 1, 2, 0, 1, 1, 2, 2]),
  likelihoods: float32(
    [2, 4, 5],
    noise(40, 2).map((x) => 3 * x - 4),
  ),
})

describe("ragTokenRenewed", () => {
  it("has the worked example's probability", async () => {
    // Passage 1 is found twice and scored once
    const passages = [0, 1, 2, 3, 4, 5, 6, 1]
    const priors = [0.5, 0.5, 0.6, 0.4, 0.55, 0.45, 0.6, 0.4]
    const probabilities = [0.9, 0.7, 0.85, 0.8, 0.9, 0.85, 0.8, 0.7]
    const each = Array.from({ length: 7 }, (_, passage) =>
      [0, 1, 2, 3].map((t) => {
        const at = [0, 1].find((i) => passages[2 * t + i] === passage)
        return Math.log(at === undefined ? 0.01 : probabilities[2 * t + at]!)
      }),
    )
    const found = await outputsOf(
      full({
        scores: float32([1, 4, 2], priors.map(Math.log)),
        passages: int64([1, 4, 2], passages),
        segments: int64([1, 4], [0, 1, 2, 3]),
        likelihoods: float32([1, 7, 4], each.flat()),
      }),
    )
    close(found["perToken"]?.map(Math.exp), [0.8, 0.83, 0.8775, 0.76])
    close(found["logLikelihood"]?.map(Math.exp), [0.8 * 0.83 * 0.8775 * 0.76])
    assert.equal(found["logLikelihood"]!.map(Math.exp)[0]!.toFixed(4), "0.4428")
    close(found["posterior"]?.slice(2, 4), [0.51 / 0.83, 0.32 / 0.83])
  })

  it("is RAG-Token where nothing is renewed", async () => {
    const feeds = full({
      scores: float32([2, 1, 3], noise(6, 3)),
      passages: int64([2, 1, 3], [0, 1, 2, 0, 1, 2]),
      segments: int64([2, 4], Array<number>(8).fill(0)),
      likelihoods: float32([2, 3, 4], noise(24, 4)),
    })
    const renewed = await outputsOf(feeds)
    const graph = graphOver(feeds, (g, { scores, likelihoods, mask }) => {
      assert.ok(scores && likelihoods && mask)
      const logPrior = g.reshape(retrievalLogPrior(g, scores), [2, 3])
      return { ...ragToken(g, { logPrior, logLikelihood: likelihoods, mask }) }
    })
    const once = await runWithGradients(graph, feeds, ["scores", "likelihoods"])
    for (const [name, values] of Object.entries(once)) close(renewed[name], values)
  })

  it("gives a passage that no retrieval of a token found a gradient of exactly 0", async () => {
    const found = await outputsOf(plain)
    const gradient = found["grad.likelihoods"]!
    const expected = [0, 1].flatMap((row) =>
      [0, 1, 2, 3].flatMap((passage) =>
        [0, 1, 2, 3, 4].map((t) => {
          const segment = Number(plain.segments.data[row * 5 + t])
          return [0, 1].some((i) => Number(plain.passages.data[(row * 3 + segment) * 2 + i]) === passage)
        }),
      ),
    )
    for (const [at, reads] of expected.entries()) assert.equal(gradient[at] !== 0, reads)
  })

  it("does not see a place without a passage, nor what the mask leaves out", async () => {
    const present = Array.from({ length: 12 }, (_, at) => at !== 3 && at !== 6)
    const mask = Array.from({ length: 10 }, (_, at) => at !== 4 && at < 8)
    const feeds = { ...plain, present: bool([2, 3, 2], present), mask: bool([2, 5], mask) }
    const found = await outputsOf(feeds)
    const junk = {
      ...feeds,
      scores: float32(
        [2, 3, 2],
        noise(12, 1).map((x, at) => (present[at] === true ? x : 40)),
      ),
      passages: int64([2, 3, 2], [0, 1, 1, 0, 3, 0, 3, 1, 0, 3, 2, 3]),
      likelihoods: float32(
        [2, 4, 5],
        noise(40, 2).map((x, at) => (mask[Math.floor(at / 20) * 5 + (at % 5)] === true ? 3 * x - 4 : Number.NaN)),
      ),
    }
    const other = await outputsOf(junk)
    for (const name of ["loss", "perExample", "perToken", "grad.scores"]) close(other[name], found[name]!, 1e-6)
    for (const at of [3, 6]) assert.equal(Math.abs(found["grad.scores"]![at]!), 0)
  })

  it("has gradients that are derivatives of its value", async () => {
    const gradients = await outputsOf(plain)
    for (const [index, name] of (["scores", "likelihoods"] as const).entries()) {
      const direction = noise(plain[name].data.length, 7 + index)
      const at = async (factor: number) =>
        (await run(graphOf(plain), { ...plain, [name]: moved(plain[name], direction, factor) }))["loss"]![0]!
      const expected = ((await at(4e-3)) - (await at(-4e-3))) / 8e-3
      const found = inner(gradients[`grad.${name}`]!, direction)
      assert.ok(Math.abs(found / expected - 1) < 1e-2, `${found} instead of ${expected}`)
    }
  })

  it("is smoothed over the marginal vocabulary of each token's own passages", async () => {
    const feeds = { ...plain, logits: float32([40, 6], noise(240, 8)) }
    const target = 2
    // Token t of question b under passage i is place (b · 4 + i) · 5 + t
    const places = Array.from({ length: 20 }, (_, at) => {
      const [token, i] = [Math.floor(at / 2), at % 2]
      const row = Math.floor(token / 5)
      const retrieval = row * 3 + Number(plain.segments.data[token])
      return (row * 4 + Number(plain.passages.data[retrieval * 2 + i])) * 5 + (token % 5)
    })
    const graph = graphOver(feeds, (g, { scores, passages, segments, logits, mask }) => {
      assert.ok(scores && passages && segments && logits && mask)
      const logPrior = retrievalLogPrior(g, scores)
      const logLikelihood = g.reshape(g.slice(g.logSoftmax(logits), 1, target, target + 1), [2, 4, 5])
      const inputs = { logPrior, passages, segments, logLikelihood, mask }
      const { tokenLogPrior, perToken } = ragTokenRenewed(g, inputs)
      const places_ = g.constant(int64([2, 5, 2], places))
      const marginal = marginalLogProbabilities(g, { logPrior: tokenLogPrior, logits, places: places_ })
      const smoothing = { epsilon: 0.1, vocabularySize: 6, vocabularySums: g.reduceSum(marginal, [2], false) }
      const { loss, perExample } = ragTokenRenewed(g, inputs, { smoothing })
      return { loss, perExample, perToken, marginal }
    })
    const { marginal, perToken, perExample } = await runWithGradients(graph, feeds, ["scores", "logits"])
    close(
      marginal?.filter((_, at) => at % 6 === target),
      perToken!,
    )
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
    close(
      perExample,
      [0, 1].map(
        (row) =>
          -0.9 * sum(perToken!.slice(row * 5, row * 5 + 5)) - (0.1 / 6) * sum(marginal!.slice(row * 30, row * 30 + 30)),
      ),
      1e-5,
    )
  })
})
