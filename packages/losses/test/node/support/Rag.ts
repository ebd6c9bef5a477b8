import { answerLogLikelihood, marginalLogProbabilities, type RagInputs, retrievalLogPrior } from "@tandem/losses"
import { bool, float32, type GraphBuilder, int64, type Tensor, type Value } from "@tandem/onnx"

/** The token that pads answers. */
export const padding = 1

/** Questions with answers of one length, padded, and k passages each. */
export interface RagCase {
  /** `[B, k]` */
  readonly scores: readonly (readonly number[])[]
  readonly present?: readonly (readonly boolean[])[]
  /** `[B, k, T, V]` in C order. */
  readonly logits: readonly number[]
  readonly vocabulary: number
  /** `[B, T]` */
  readonly answers: readonly (readonly number[])[]
}

/** Logits of the reference: `(((7i + 3) mod 11) − 5) / 2` in C order, 2 questions with 2 passages each. */
export const reference = (answers: readonly (readonly number[])[]): RagCase => ({
  scores: [
    [1, 0],
    [-0.5, 0.5],
  ],
  logits: Array.from({ length: 80 }, (_, i) => (((7 * i + 3) % 11) - 5) / 2),
  vocabulary: 5,
  answers,
})

export type RagFeeds = Readonly<Record<"scores" | "present" | "logits" | "targets" | "mask", Tensor>>

export const feedsOf = ({ scores, present, logits, vocabulary, answers }: RagCase): RagFeeds => {
  const [batch, k, tokens] = [scores.length, scores[0]?.length ?? 0, answers[0]?.length ?? 0]
  const repeated = answers.flatMap((answer) => scores[0]?.flatMap(() => answer) ?? [])
  const there = present?.flat() ?? Array<boolean>(batch * k).fill(true)
  return {
    scores: float32([batch, k], scores.flat()),
    present: bool([batch, k], there),
    logits: float32([batch * k, tokens, vocabulary], logits),
    targets: int64([batch * k, tokens], repeated),
    mask: bool(
      [batch, tokens],
      answers.flat().map((token) => token !== padding),
    ),
  }
}

/** The inputs of a loss as an objective makes them of logits, and the sums that label smoothing needs. */
export const ragInputs = (g: GraphBuilder, inputs: Readonly<Record<keyof RagFeeds, Value>>) => {
  const { scores, present, logits, targets, mask } = inputs
  const [batch = 0, k = 0] = (scores.dims ?? []).map(Number)
  const [, tokens = 0, vocabularySize = 0] = (logits.dims ?? []).map(Number)
  const logPrior = retrievalLogPrior(g, scores, { present })
  const everywhere = g.constant(bool([batch * k, tokens], Array<boolean>(batch * k * tokens).fill(true)))
  const { perToken, vocabularySums } = answerLogLikelihood(g, { logits, targets, mask: everywhere })
  const byPassage = (values: Value): Value => g.reshape(values, [batch, k, tokens])
  const answers: RagInputs = { logPrior, logLikelihood: byPassage(perToken), mask }
  const marginal = marginalLogProbabilities(g, { logPrior, logits })
  return {
    answers,
    marginal,
    vocabularySize,
    sums: { sequence: byPassage(vocabularySums), token: g.reduceSum(marginal, [2], false) },
  }
}
