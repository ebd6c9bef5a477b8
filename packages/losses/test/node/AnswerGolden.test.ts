import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { type AnswerReduction, answerNll, rowsOfPlaces } from "@tandem/losses"
import { bool, float32, int64, type Tensor, toNumbers } from "@tandem/onnx"
import { Schema } from "effect"
import { graphOver, largestDifference, runWithGradients } from "./support/Run.ts"

const Numbers = Schema.Array(Schema.Array(Schema.Number))
const Cube = Schema.Array(Numbers)
const Case = Schema.Struct({
  name: Schema.String,
  logits: Cube,
  targets: Numbers,
  mask: Numbers,
  places: Schema.Array(Schema.Number),
  perToken: Numbers,
  perSequence: Schema.Array(Schema.Number),
  counts: Schema.Array(Schema.Number),
  losses: Schema.Struct({ token: Schema.Number, example: Schema.Number, sum: Schema.Number }),
  gradients: Schema.Struct({ token: Cube, example: Cube, sum: Cube }),
})
type Case = typeof Case.Type

const file = new URL("../../../../test/golden/answer-log-likelihood.json", import.meta.url)
const { cases } = Schema.decodeUnknownSync(Schema.Struct({ cases: Schema.Array(Case) }))(
  JSON.parse(readFileSync(file, "utf8")),
)

/** How the same answers are given: all logits with a mask, or the logits at the answers' places alone. */
type Form = "dense" | "dense, mask of truth values" | "at places"

/** What the graph is fed with, and the places that its logits are of. */
const feedsOf = ({ logits, targets, mask, places }: Case, form: Form) => {
  const [batch, tokens, vocabulary] = [logits.length, logits[0]!.length, logits[0]![0]!.length]
  const all = Array.from({ length: batch * tokens }, (_, place) => place)
  const dims = [batch, tokens]
  const masked = form === "dense" ? float32(dims, mask.flat()) : bool(dims, mask.flat().map(Boolean))
  if (form !== "at places") {
    const dense = { logits: float32([...dims, vocabulary], logits.flat(2)), targets: int64(dims, targets.flat()) }
    return { feeds: { ...dense, mask: masked }, read: all }
  }
  const at = <A>(values: readonly A[]): readonly A[] => places.map((place) => values[place]!)
  const feeds: Readonly<Record<string, Tensor>> = {
    logits: float32([places.length, vocabulary], at(logits.flat()).flat()),
    targets: int64([places.length, 1], at(targets.flat())),
    mask: float32([places.length, 1], at(mask.flat())),
    logit_rows: int64([places.length], [...places]),
  }
  return { feeds, read: places }
}

/** How far a case's values and gradients, its feeds changed by `change`, are from the fixture's. */
const errorsOf = async (
  golden: Case,
  form: Form,
  reduction: AnswerReduction,
  change: (feeds: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>> = (feeds) => feeds,
): Promise<Readonly<Record<string, number>>> => {
  const { feeds: given, read } = feedsOf(golden, form)
  const feeds = change(given)
  const [batch, tokens] = [golden.logits.length, golden.logits[0]!.length]
  const graph = graphOver(feeds, (g, { logits, targets, mask, logit_rows }) => {
    assert.ok(logits !== undefined && targets !== undefined && mask !== undefined)
    const rows = logit_rows === undefined ? {} : { rows: rowsOfPlaces(g, logit_rows, { batch, tokens }) }
    const { loss, perToken, perSequence, counts } = answerNll(g, { logits, targets, mask, ...rows }, { reduction })
    return { loss, perToken, perSequence, counts }
  })
  const found = await runWithGradients(graph, feeds, ["logits"])
  const at = <A>(values: readonly A[]): readonly A[] => read.map((place) => values[place]!)
  const gradient = golden.gradients[reduction].flat()
  // p − 1 of a p close to 1 has no more digits in 32 bits
  const largest = Math.max(0.05, ...gradient.flat().map(Math.abs))
  const size = Math.max(1, ...golden.perToken.flat().map(Math.abs))
  return {
    loss: largestDifference(found["loss"], [golden.losses[reduction]]) / Math.max(1, golden.losses[reduction]),
    perToken: largestDifference(found["perToken"], at(golden.perToken.flat())) / size,
    perSequence: largestDifference(found["perSequence"], golden.perSequence) / (3 * size),
    counts: largestDifference(found["counts"], golden.counts),
    gradient: largestDifference(found["grad.logits"], at(gradient).flat()) / largest,
  }
}

const tolerance = 2e-6
const reductions = ["token", "example", "sum"] as const

describe("answerNll against PyTorch in float64", () => {
  for (const golden of cases) {
    const weighted = golden.mask.flat().some((value) => value % 1 !== 0)
    for (const form of [
      "dense",
      "at places",
      ...(weighted ? [] : (["dense, mask of truth values"] as const)),
    ] as const) {
      it(`${golden.name}, ${form}`, async () => {
        for (const reduction of reductions) {
          for (const [what, error] of Object.entries(await errorsOf(golden, form, reduction))) {
            assert.ok(error < tolerance, `${reduction}: ${what} is ${error} away`)
          }
        }
      })
    }
  }

  it("keeps the digits of an answer that is almost certain", async () => {
    const certain = cases.find(({ name }) => name === "almost certain")!
    assert.ok(certain.perSequence.every((value) => value > -1e-2 && value < 0))
    const { feeds } = feedsOf(certain, "dense")
    const graph = graphOver(feeds, (g, { logits, targets, mask }) => {
      assert.ok(logits !== undefined && targets !== undefined && mask !== undefined)
      return { loss: answerNll(g, { logits, targets, mask }, { reduction: "sum" }).loss }
    })
    const found = await runWithGradients(graph, feeds, ["logits"])
    assert.ok(Math.abs(found["loss"]![0]! - certain.losses.sum) < 3e-7)
  })

  it("would notice targets that are shifted by one, and a mask that is", async () => {
    const [first] = cases
    assert.ok(first !== undefined)
    for (const field of ["targets", "mask"] as const) {
      const shifted = await errorsOf(first, "dense", "token", ({ targets, mask, ...feeds }) => {
        const values = { targets: toNumbers(targets!).map((token) => Math.max(0, token)), mask: toNumbers(mask!) }
        const moved = { ...values, [field]: [0, ...values[field].slice(0, -1)] }
        return { ...feeds, targets: int64(targets!.dims, moved.targets), mask: float32(mask!.dims, moved.mask) }
      })
      assert.ok(shifted["loss"]! > 1e-2 && shifted["gradient"]! > 0.1, `${field}: ${JSON.stringify(shifted)}`)
    }
  })
})
