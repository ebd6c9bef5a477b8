import { type GraphBuilder, InvalidGraph, int, int32, int64, type Value } from "@tandem/onnx"

/** Which sequence each place belongs to, where logits were computed at chosen places alone. */
export interface AnswerRows {
  /** `[places] int64`, from 0 up to below `count`. */
  readonly of: Value
  /** The number of sequences. */
  readonly count: number
}

/** What the likelihood of answers is read off; see {@link answerLogLikelihood}. */
export interface AnswerInputs {
  /** `[batch, tokens, vocabulary] f32`, or at chosen places alone `[places, vocabulary]`. */
  readonly logits: Value
  /**
   * The token that stands behind each place, `[batch, tokens]` or `[places]` (or `[places, 1]`, as `collatePrompts` gives
   * them), int64 or int32: a causal model's logit at place t − 1 predicts token t. Anything may stand where the mask is 0.
   */
  readonly targets: Value
  /** Of the targets' shape, `bool` or `f32`: true or 1 where the token is part of the answer; other numbers weigh it. */
  readonly mask: Value
  /** For logits at chosen places; all places are one sequence where absent. */
  readonly rows?: AnswerRows
}

export interface AnswerLogLikelihood {
  /** Like the targets, `[batch, tokens]` or `[places] f32`: m_t ℓ_t in nats, 0 where the mask is 0. */
  readonly perToken: Value
  /** `[batch] f32`, or as many as `rows` counts: L_b, nats. */
  readonly perSequence: Value
  /** Like `perSequence`: n_b, how many tokens the answer has, or the sum of their weights. */
  readonly counts: Value
  /**
   * Like `perToken`: m_t Σ_v ln p[t, v] over the whole vocabulary, what label smoothing needs. It is summed over the values
   * that `perToken` is picked from; a graph that does not put it out does not compute it.
   */
  readonly vocabularySums: Value
}

/**
 * The log-likelihood of answers under a language model, log p(y | prompt), from its logits.
 *
 *     ℓ[b, t] = x[b, t, y_t] − logsumexp_v x[b, t, v]
 *     L[b]    = Σ_t m_t ℓ[b, t]          n[b] = Σ_t m_t
 *
 * What is written on top of it: {@link answerNll}, the loss of a causal language model; a passage's score for a retriever
 * (L, or L / n); `ragSequence`, −logsumexp_i (log p_i + L_i), and `ragToken`, −Σ_t logsumexp_i (log p_i + ℓ_{i,t}), over
 * the values of k passages brought side by side by `reshape`.
 *
 * Gradients flow to `logits` (and to a mask of `f32`), exactly 0 at places that the mask leaves out. An answer without a
 * token has L = 0 and n = 0.
 *
 * Stability: by LogSoftmax, which takes each row's largest logit off before anything is exponentiated. So logits of any
 * size neither overflow nor lose the digits of a likelihood close to 1. Logits must be numbers: NaN or ∞ at a place that is
 * left out still give NaN.
 *
 * Memory: one further tensor of the logits' size forward, no one-hot targets. On one CPU thread, 64 to 512 places and
 * vocabularies of 8,000 to 49,000, SoftmaxCrossEntropyLoss takes about the same time forward and backward, and
 * x[y] − ReduceLogSumExp(x) up to twice as long.
 *
 * @throws InvalidGraph where shapes or types do not fit one another
 *
 * @example
 * ```ts
 * import { answerLogLikelihood } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const logits = g.input("logits", "float32", [6, 12, 1000]) // 2 questions with 3 passages each
 * const targets = g.input("targets", "int64", [6, 12])
 * const mask = g.input("mask", "bool", [6, 12])
 * const { perSequence, counts } = answerLogLikelihood(g, { logits, targets, mask })
 * const scores = g.reshape(g.div(perSequence, counts), [2, 3]) // how well each passage explains the answer
 * console.log(g.build({ scores }).outputs[0]?.dims) // [ 2, 3 ]
 * ```
 */
export const answerLogLikelihood = (g: GraphBuilder, inputs: AnswerInputs): AnswerLogLikelihood =>
  g.scope("answerLogLikelihood", () => {
    const { logits, rows } = inputs
    const places = placesOf(logits)
    const targets = atPlaces(g, inputs.targets, places, "targets", ["int64", "int32"])
    const mask = atPlaces(g, inputs.mask, places, "mask", ["bool", "float32"])
    const counted = mask.type === "bool" ? mask : g.op("Not", [g.equal(mask, g.scalar(0))])[0]!
    const zero = g.constant(targets.type === "int32" ? int32([], [0]) : int64([], [0]))
    const weights = g.cast(mask, "float32")
    const masked = (values: Value): Value => {
      const kept = g.where(counted, values, g.scalar(0))
      return mask.type === "bool" ? kept : g.mul(kept, weights)
    }
    const probabilities = g.logSoftmax(logits)
    const perToken = masked(chosen(g, probabilities, g.where(counted, targets, zero)))
    const vocabularySums = masked(g.reduceSum(probabilities, [places.length], false))
    const sums = sumsBySequence(g, places.length, rows)
    return { perToken, perSequence: sums(perToken), counts: sums(weights), vocabularySums }
  })

/**
 * The sequences of places that are numbered `row · tokens + column`, as a decoder's `logit_rows` are: `logitRows`
 * `[places] int64`, and the shape of the batch that they lie in.
 */
export const rowsOfPlaces = (
  g: GraphBuilder,
  logitRows: Value,
  { batch, tokens }: { readonly batch: number; readonly tokens: number },
): AnswerRows => ({ of: g.div(logitRows, g.constant(int64([], [tokens]))), count: batch })

/** The log-probabilities at the targets alone. */
const chosen = (g: GraphBuilder, probabilities: Value, targets: Value): Value => {
  const axis = targets.dims!.length
  const picked = g.op("GatherElements", [probabilities, g.unsqueeze(targets, [axis])], {
    attributes: { axis: int(axis) },
  })[0]!
  return g.squeeze(picked, [axis])
}

/** Adds up each sequence's values. For chosen places it is a product with ones, whose order no provider changes. */
const sumsBySequence = (g: GraphBuilder, rank: number, rows: AnswerRows | undefined): ((values: Value) => Value) => {
  if (rank === 2) return (values) => g.reduceSum(values, [1], false)
  if (rows === undefined) return (values) => g.reduceSum(values, [0], true)
  const sequences = g.constant(
    int64(
      [rows.count, 1],
      Array.from({ length: rows.count }, (_, index) => index),
    ),
  )
  const belongs = g.cast(g.equal(g.unsqueeze(rows.of, [0]), sequences), "float32")
  return (values) => g.squeeze(g.matmul(belongs, g.unsqueeze(values, [1])), [1])
}

type Sizes = NonNullable<Value["dims"]>

/** The logits' shape without the vocabulary. */
const placesOf = ({ type, dims }: Value): Sizes => {
  if (type === "float32" && (dims?.length === 2 || dims?.length === 3)) return dims.slice(0, -1)
  throw new InvalidGraph({
    message: "no likelihood can be read off these logits",
    field: "logits",
    expected: "float32[batch, tokens, vocabulary] or float32[places, vocabulary]",
    found: `${type ?? "?"}[${dims ?? "?"}]`,
  })
}

/** A value for each place; `[places, 1]` counts as `[places]`. */
const atPlaces = (g: GraphBuilder, value: Value, places: Sizes, field: string, types: readonly string[]): Value => {
  const { type = "?", dims } = value
  if (types.includes(type)) {
    if (`${dims}` === `${places}`) return value
    if (places.length === 1 && `${dims}` === `${[...places, 1]}`) return g.squeeze(value, [1])
  }
  throw new InvalidGraph({
    message: `the ${field} do not fit the logits`,
    field,
    expected: `${types.join(" or ")} [${places}]`,
    found: `${type}[${dims ?? "?"}]`,
  })
}
