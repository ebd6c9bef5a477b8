import { type GraphBuilder, InvalidGraph, type Value } from "@tandem/onnx"
import { logSumExp, requireShape, sizesOf } from "./internal/Marginals.ts"

export interface MarginalInputs {
  /** `[B, k] f32`, or with `places` `[B, T, k]`, each token's own: log p_R of `retrievalLogPrior`. */
  readonly logPrior: Value
  /** `[B · k, T, V] f32`, the k passages of a question one after the other; with `places` `[N, V]`. */
  readonly logits: Value
  /** `[B, T, k] int64`, from 0 up to below N: which of the logits each token has under each of its passages. */
  readonly places?: Value
}

/**
 * The next token's log-probabilities with the passages summed out, for the whole vocabulary:
 *
 *     log p[b, t, v] = logsumexp_i ( log p_R[b, i] + x[b, i, t, v] − logsumexp_w x[b, i, t, w] )
 *
 * `[B, T, V] f32`, nats. Summed over v they are what RAG-Token's label smoothing needs; at one token their largest is what
 * RAG-Token decodes. Gradients flow to both inputs.
 *
 * Memory: beside the log-probabilities, which `answerLogLikelihood` of the same logits shares, one tensor of B · k · T · V
 * numbers for their sums with the prior and one that holds them less their largest, and as many in the backward pass; with
 * `places` one more that they are gathered into. For 8 questions with 5 passages, 32 tokens and a vocabulary of 49,152
 * each is 240 MiB: RAG-Token without smoothing needs none of them, and computes loss and gradients by the logits in less than
 * half the time (one CPU thread, 12 rows of 16 tokens, that vocabulary).
 *
 * @throws InvalidGraph where shapes or types do not fit one another, or a size is not known
 *
 * @example
 * ```ts
 * import { marginalLogProbabilities, retrievalLogPrior } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const logPrior = retrievalLogPrior(g, g.input("scores", "float32", [2, 3]))
 * const logits = g.input("logits", "float32", [6, 12, 1000])
 * const marginal = marginalLogProbabilities(g, { logPrior, logits })
 * const vocabularySums = g.reduceSum(marginal, [2], false)
 * console.log(g.build({ vocabularySums }).outputs[0]?.dims) // [ 2, 12 ]
 * ```
 */
export const marginalLogProbabilities = (g: GraphBuilder, inputs: MarginalInputs): Value =>
  g.scope("marginalLogProbabilities", () =>
    inputs.places === undefined ? ofAllPlaces(g, inputs) : ofChosenPlaces(g, inputs, inputs.places),
  )

const ofAllPlaces = (g: GraphBuilder, { logPrior, logits }: MarginalInputs): Value => {
  const [batch = 0, k = 0] = sizesOf(logPrior, "logPrior", ["B", "k"])
  const [rows, tokens = 0, vocabulary = 0] = sizesOf(logits, "logits", ["rows", "T", "V"])
  if (rows !== batch * k) {
    throw new InvalidGraph({
      message: "the logits are not those of every passage of every question",
      field: "logits",
      expected: `float32[${batch * k}, ${tokens}, ${vocabulary}]`,
      found: `float32[${logits.dims}]`,
    })
  }
  const byPassage = g.reshape(g.logSoftmax(logits), [batch, k, tokens, vocabulary])
  return logSumExp(g, g.add(g.reshape(logPrior, [batch, k, 1, 1]), byPassage), 1)
}

const ofChosenPlaces = (g: GraphBuilder, { logPrior, logits }: MarginalInputs, places: Value): Value => {
  const [batch = 0, tokens = 0, k = 0] = sizesOf(logPrior, "logPrior", ["B", "T", "k"])
  sizesOf(logits, "logits", ["N", "V"])
  requireShape(places, "places", ["int64"], [batch, tokens, k])
  const byPassage = g.gather(g.logSoftmax(logits), places)
  return logSumExp(g, g.add(g.reshape(logPrior, [batch, tokens, k, 1]), byPassage), 2)
}
