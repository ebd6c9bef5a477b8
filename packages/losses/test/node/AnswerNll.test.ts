import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type AnswerNllOptions, type AnswerReduction, answerNll } from "@tandem/losses"
import { float32, type GraphBuilder, int64, type Tensor, type Value } from "@tandem/onnx"
import { inner, moved, noise } from "./support/Data.ts"
import { graphOver, largestDifference, run, runWithGradients } from "./support/Run.ts"

const reductions: readonly AnswerReduction[] = ["token", "example", "sum"]
const ignored = -100

/** Answers of a batch, `[batch, tokens]`; a target of −100 is not part of one. */
interface Answers {
  readonly logits: readonly (readonly (readonly number[])[])[]
  readonly targets: readonly (readonly number[])[]
  readonly weights?: readonly number[]
}

const feedsOf = ({ logits, targets, weights }: Answers): Readonly<Record<"logits" | "targets" | "mask", Tensor>> => {
  const dims = [targets.length, targets[0]!.length]
  const mask = targets.map((row, index) => row.map((token) => (token === ignored ? 0 : (weights?.[index] ?? 1))))
  return {
    logits: float32([...dims, logits[0]![0]!.length], logits.flat(2)),
    targets: int64(dims, targets.flat()),
    mask: float32(dims, mask.flat()),
  }
}

const graphOf = (
  feeds: Readonly<Record<string, Tensor>>,
  options: AnswerNllOptions,
  distort: (g: GraphBuilder, logits: Value) => Value = (_, logits) => logits,
) =>
  graphOver(feeds, (g, { logits, targets, mask }) => {
    assert.ok(logits !== undefined && targets !== undefined && mask !== undefined)
    return { ...answerNll(g, { logits: distort(g, logits), targets, mask }, options) }
  })

const lossOf = async (answers: Answers, reduction: AnswerReduction) => {
  const feeds = feedsOf(answers)
  const outputs = await runWithGradients(graphOf(feeds, { reduction }), feeds, ["logits"])
  return { loss: outputs["loss"]![0]!, gradient: outputs["grad.logits"]!, outputs }
}

const vocabulary = 7
const random = (batch: number, tokens: number, seed: number): Answers["logits"] =>
  Array.from({ length: batch }, (_, row) =>
    Array.from({ length: tokens }, (_, column) => noise(vocabulary, seed + 10 * row + column).map((x) => 4 * x)),
  )

const plain: Answers = {
  logits: random(2, 3, 1),
  targets: [
    [ignored, 3, 5],
    [2, ignored, ignored],
  ],
}

describe("answerNll", () => {
  it("is ln V where all tokens are equally likely", async () => {
    const logits = [[0, 1].map(() => Array<number>(vocabulary).fill(-250.5))]
    for (const reduction of ["token", "example"] as const) {
      const { loss } = await lossOf({ logits, targets: [[1, 6]] }, reduction)
      assert.ok(Math.abs(loss - Math.log(vocabulary)) < 1e-6)
    }
  })

  it("does not change with padding, nor with a sequence that has no answer", async () => {
    const junk = (count: number) => Array.from({ length: count }, (_, index) => noise(vocabulary, 90 + index))
    const padded: Answers = {
      logits: [...plain.logits.map((row) => [...row, ...junk(2)]), junk(5)],
      targets: [...plain.targets.map((row) => [...row, ignored, ignored]), Array<number>(5).fill(ignored)],
    }
    for (const reduction of reductions) {
      const [a, b] = [await lossOf(plain, reduction), await lossOf(padded, reduction)]
      assert.ok(Math.abs(a.loss - b.loss) < 1e-6, `${a.loss} and ${b.loss}`)
      const width = 3 * vocabulary
      const kept = [0, 1].flatMap((row) => b.gradient.slice(row * 5 * vocabulary, row * 5 * vocabulary + width))
      assert.ok(largestDifference(kept, a.gradient) < 1e-7)
    }
  })

  it("has a gradient of exactly 0 where the mask is 0, and of not 0 elsewhere", async () => {
    for (const reduction of reductions) {
      const { gradient } = await lossOf(plain, reduction)
      for (const [place, token] of plain.targets.flat().entries()) {
        const row = gradient.slice(place * vocabulary, (place + 1) * vocabulary)
        assert.ok(row.every((value) => (token === ignored ? value === 0 : value !== 0)))
        assert.ok(Math.abs(row.reduce((a, b) => a + b)) < 1e-6, "a likelihood does not see a shift of all logits")
      }
    }
  })

  it("of a batch without any answer is 0, and so are its gradients", async () => {
    for (const reduction of reductions) {
      const none = plain.targets.map((row) => row.map(() => ignored))
      const { loss, gradient, outputs } = await lossOf({ ...plain, targets: none }, reduction)
      assert.ok([loss, ...gradient, ...outputs["perSequence"]!].every((value) => value === 0))
    }
  })

  it("has passages that weigh nothing take no part, and a sum of weights of 0 give 0", async () => {
    const first = await lossOf({ logits: [plain.logits[0]!], targets: [plain.targets[0]!] }, "token")
    const weighted = await lossOf({ ...plain, weights: [0.25, 0] }, "token")
    assert.ok(Math.abs(weighted.loss - first.loss) < 1e-6)
    assert.equal(Math.abs((await lossOf({ ...plain, weights: [0, 0] }, "token")).loss), 0)
  })

  it("in several passes adds up to that of the batch, with weights of one over its tokens", async () => {
    const whole = await lossOf(plain, "token")
    const parts = await Promise.all(
      [0, 1].map((row) => {
        const part = { logits: [plain.logits[row]!], targets: [plain.targets[row]!] }
        return lossOf({ ...part, weights: [1 / 3] }, "sum")
      }),
    )
    assert.ok(Math.abs(parts[0]!.loss + parts[1]!.loss - whole.loss) < 1e-6)
    assert.ok(largestDifference([...parts[0]!.gradient, ...parts[1]!.gradient], whole.gradient) < 1e-7)
  })

  it("is finite and right for logits in the ten thousands", async () => {
    const row = noise(vocabulary, 3).map((x) => Math.fround(3e4 * x - 5e4))
    const best = row.indexOf(Math.max(...row))
    const other = (best + 1) % vocabulary
    const { loss, gradient } = await lossOf({ logits: [[row, row]], targets: [[best, other]] }, "sum")
    const expected = row[best]! - row[other]!
    assert.ok(Math.abs(loss / expected - 1) < 1e-6)
    assert.ok(gradient.every(Number.isFinite))
  })
})

describe("gradients of answerNll as derivatives of its value", () => {
  const answers = { ...plain, weights: [1, 0.5] }
  const feeds = feedsOf(answers)
  /** The largest relative error of a graph's gradients as derivatives of the loss, in a random direction of each input. */
  const discrepancy = async (reduction: AnswerReduction, graph = graphOf(feeds, { reduction })): Promise<number> => {
    const value = graphOf(feeds, { reduction })
    const wrt = ["logits", "mask"] as const
    const gradients = await runWithGradients(graph, feeds, wrt)
    const step = 4e-3
    const errors: number[] = []
    for (const [index, name] of wrt.entries()) {
      // What is no part of an answer stays none
      const direction = noise(feeds[name].data.length, 5 + index).map((x, at) =>
        name === "mask" && Number(feeds.mask.data[at]) === 0 ? 0 : x,
      )
      const at = async (factor: number) =>
        (await run(value, { ...feeds, [name]: moved(feeds[name], direction, factor) }))["loss"]![0]!
      const expected = ((await at(step)) - (await at(-step))) / (2 * step)
      errors.push(Math.abs(inner(gradients[`grad.${name}`]!, direction) / expected - 1))
    }
    return Math.max(...errors)
  }

  for (const reduction of reductions) {
    it(reduction, async () => {
      const error = await discrepancy(reduction)
      assert.ok(error < 1e-2, `relative error ${error}`)
    })
  }

  it("are found out where the normalizer's part is severed", async () => {
    const severed = graphOver(feeds, (g, { logits, targets, mask }) => {
      assert.ok(logits !== undefined && targets !== undefined && mask !== undefined)
      const inputs = { logits, targets, mask }
      const { loss } = answerNll(g, { ...inputs, logits: g.constant(feeds.logits) })
      const { loss: whole } = answerNll(g, inputs)
      return { loss: g.add(g.mul(whole, g.scalar(0.5)), g.mul(loss, g.scalar(0.5))) }
    })
    assert.ok((await discrepancy("token", severed)) > 0.1)
  })
})
