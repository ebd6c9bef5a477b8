import { type GraphBuilder, InvalidGraph, type Value } from "@tandem/onnx"
import { type AnswerInputs, type AnswerLogLikelihood, answerLogLikelihood } from "./AnswerLogLikelihood.ts"

/**
 * What the loss of a batch is a mean of: `token` of all its trained tokens alike, `example` of its sequences, each the mean
 * over its own tokens; `sum` is no mean.
 */
export type AnswerReduction = "token" | "example" | "sum"

export interface AnswerNllOptions {
  /** Default `token`, as trainers of causal language models have it. */
  readonly reduction?: AnswerReduction
}

export interface AnswerNll extends AnswerLogLikelihood {
  /** `[] f32`, nats. */
  readonly loss: Value
}

/**
 * The negative log-likelihood of answers: the loss that a language model is trained with. With L and n of
 * {@link answerLogLikelihood}, the sums over the sequences of the batch:
 *
 *     token    −Σ_b L_b / Σ_b n_b
 *     example  −mean_b (L_b / n_b), b over the sequences with n_b ≠ 0
 *     sum      −Σ_b L_b
 *
 * Sequences without a trained token take no part, so that padding a batch changes nothing, and a batch without any has a
 * loss and gradients of 0. A mask of weights weighs tokens in numerator and denominator: where each sequence's is its
 * passage's probability, this is the weighted mean over passages, and 0 where all of them are. For a batch in several
 * passes whose gradients are added, take `sum` and weights of 1 / (trained tokens of the whole batch).
 *
 * `token` and `example` of one batch differ where answers differ in length: in `token` a long answer counts for more.
 *
 * @throws InvalidGraph as `answerLogLikelihood`, and for `example` of logits at chosen places without their `rows`
 *
 * @example
 * ```ts
 * import { answerNll, rowsOfPlaces } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const logits = g.input("logits", "float32", [10, 1000]) // of the answers' tokens alone
 * const targets = g.input("targets", "int64", [10, 1])
 * const mask = g.input("weights", "float32", [10, 1])
 * const rows = rowsOfPlaces(g, g.input("logit_rows", "int64", [10]), { batch: 2, tokens: 64 })
 * const { loss, perSequence } = answerNll(g, { logits, targets, mask, rows }, { reduction: "example" })
 * console.log(g.build({ loss, perSequence }).outputs.map(({ dims }) => dims)) // [ [], [ 2 ] ]
 * ```
 */
export const answerNll = (g: GraphBuilder, inputs: AnswerInputs, options: AnswerNllOptions = {}): AnswerNll =>
  g.scope("answerNll", () => {
    const { reduction = "token" } = options
    if (reduction === "example" && inputs.rows === undefined && inputs.logits.dims?.length === 2) {
      throw new InvalidGraph({
        message: "a mean over examples needs to know which places belong to each",
        field: "rows",
        expected: "the sequence of each place",
        found: "none",
        hint: "rowsOfPlaces gives them from logit_rows",
      })
    }
    const likelihood = answerLogLikelihood(g, inputs)
    return { loss: g.neg(reductions[reduction](g, likelihood)), ...likelihood }
  })

const reductions: Readonly<Record<AnswerReduction, (g: GraphBuilder, of: AnswerLogLikelihood) => Value>> = {
  token: (g, { perSequence, counts }) => g.div(total(g, perSequence), orOne(g, total(g, counts))),
  example: (g, { perSequence, counts }) => {
    const some = g.cast(g.op("Not", [g.equal(counts, g.scalar(0))])[0]!, "float32")
    return g.div(total(g, g.div(perSequence, orOne(g, counts))), orOne(g, total(g, some)))
  },
  sum: (g, { perSequence }) => total(g, perSequence),
}

const total = (g: GraphBuilder, values: Value): Value => g.reduceSum(values, [0], false)

/** Counts to divide by: 1 where nothing was counted, and the sum of it is 0. */
const orOne = (g: GraphBuilder, counts: Value): Value => g.where(g.equal(counts, g.scalar(0)), g.scalar(1), counts)
