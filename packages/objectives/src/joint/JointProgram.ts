import {
  answerLogLikelihood,
  marginalLogProbabilities,
  type RagLossOptions,
  ragSequence,
  ragToken,
  retrievalLogPrior,
} from "@tandem/losses"
import type { LanguageModel, ModelError } from "@tandem/models"
import { GraphBuilder, type Value } from "@tandem/onnx"
import type { Towers } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import type { Program } from "@tandem/trainers"
import { Effect } from "effect"
import { callGenerator } from "../generator/CallGenerator.ts"
import { candidateScores } from "../retrieval/CandidateScores.ts"
import type { RetrievalSettings } from "../retrieval/RetrievalSettings.ts"
import type { JointBatch } from "./JointBatches.ts"

/** Which passages explain an answer: one all of it, or each of its tokens one of its own. */
export type JointLoss = "rag-sequence" | "rag-token"

/** What decides the program besides the shapes of its batches. */
export interface JointProgramOptions {
  readonly retrieval: Pick<RetrievalSettings, "similarity" | "temperature">
  readonly loss: JointLoss
  /** ε of label smoothing, 0 for none. */
  readonly labelSmoothing: number
  /** A rate for all kinds of dropout, or those of the models' own configs. */
  readonly dropout: "model" | number
}

/**
 * The joint program: the batch's questions encoded and compared with their k passages, whose log-softmax is the prior; the
 * answer's likelihood under each passage by the language model; and the loss over both. Questions weigh as the batch says,
 * so that the sum over all passes of a batch is its mean.
 *
 * Outputs `loss`; `nll`, nats a token with the passages summed out; `priorEntropy` and `posteriorEntropy`, means in nats of
 * the passages' distribution before and after the answer is known; `learned`, KL(posterior ‖ prior), what the answer tells
 * of the passages and the retriever does not know yet; `queryNorm`.
 */
export const jointProgram = Effect.fnUntraced(function* (
  models: { readonly towers: Towers; readonly generator: LanguageModel },
  { shape, answers }: Pick<JointBatch, "shape" | "answers">,
  { retrieval, loss: kind, labelSmoothing, dropout }: JointProgramOptions,
): Effect.fn.Return<Program, ModelError, Runtime> {
  const { towers, generator } = models
  const { questions, k, answerTokens } = shape
  const { similarity, temperature } = retrieval
  const g = new GraphBuilder()
  const compared = yield* candidateScores(g, towers, shape, { similarity, dropout })
  const read = yield* callGenerator(g, generator, answers, dropout)
  const { scores, present, queryNorm } = compared
  const logPrior = retrievalLogPrior(g, scores, { temperature, present })

  const places = g.input("answer_places", "int64", [questions, k, answerTokens])
  const mask = g.input("answer_mask", "bool", [questions, answerTokens])
  const { logits, targets, weights } = read
  const { perToken, vocabularySums } = answerLogLikelihood(g, { logits, targets, mask: weights })
  const inputs = { logPrior, logLikelihood: g.gather(perToken, places), mask }
  const smoothing = (sums: () => Value): RagLossOptions =>
    labelSmoothing === 0
      ? {}
      : {
          smoothing: {
            epsilon: labelSmoothing,
            vocabularySize: Number(logits.dims?.[1]),
            vocabularySums: sums(),
          },
        }
  const found =
    kind === "rag-sequence"
      ? ragSequence(
          g,
          inputs,
          smoothing(() => g.gather(vocabularySums, places)),
        )
      : ragToken(
          g,
          inputs,
          smoothing(() => marginalSums(g, { logPrior, logits, places })),
        )
  const { perExample, nllPerToken, counts } = found
  // Of RAG-Token what all of its tokens say together: the passages' shares of the answer.
  const posterior = kind === "rag-sequence" ? found.posterior : sharesOf(g, found.posterior, mask, counts)
  const loss = g.reduceSum(g.mul(perExample, g.input("question_weights", "float32", [questions])), [0], false)
  const outputs = {
    loss,
    nll: nllPerToken,
    ...passageFigures(g, g.exp(logPrior), posterior),
    queryNorm,
  }
  return { graph: g.build(outputs, "joint"), loss: "loss", dropout: [...compared.masks, ...read.masks] }
})

/** Probabilities below it count as it in diagnostics. */
const tiny = 1e-30

/** Means over questions of what two distributions of passages, `[questions, k]` before and after the answer, say. */
export const passageFigures = (g: GraphBuilder, prior: Value, posterior: Value) => {
  const log = (p: Value): Value => g.log(g.max(p, g.scalar(tiny)))
  const over = (p: Value, values: Value): Value => g.reduceMean(g.reduceSum(g.mul(p, values), [1], false), [0], false)
  return {
    priorEntropy: g.neg(over(prior, log(prior))),
    posteriorEntropy: g.neg(over(posterior, log(posterior))),
    learned: over(posterior, g.sub(log(posterior), log(prior))),
  }
}

/** Σ_v of the vocabulary's log-probabilities with the passages summed out, `[questions, tokens]`. */
const marginalSums = (
  g: GraphBuilder,
  { logPrior, logits, places }: { readonly logPrior: Value; readonly logits: Value; readonly places: Value },
): Value => {
  const [questions = 0, k = 0, tokens = 0] = places.dims?.map(Number) ?? []
  const byToken = g.expand(g.unsqueeze(logPrior, [1]), [questions, tokens, k])
  const marginal = marginalLogProbabilities(g, { logPrior: byToken, logits, places: g.transpose(places, [0, 2, 1]) })
  return g.reduceSum(marginal, [2], false)
}

/** `[questions, k]`: the mean over an answer's tokens of what each says of the passages, `[questions, tokens, k]`. */
export const sharesOf = (g: GraphBuilder, posterior: Value, mask: Value, counts: Value): Value => {
  const real = g.cast(g.unsqueeze(mask, [2]), "float32")
  const sums = g.reduceSum(g.mul(posterior, real), [1], false)
  return g.div(sums, g.unsqueeze(g.max(counts, g.scalar(1)), [1]))
}
