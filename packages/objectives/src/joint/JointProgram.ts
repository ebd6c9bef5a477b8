import {
  answerLogLikelihood,
  candidateNll,
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
import { candidateScores, type ScoredCandidates } from "../retrieval/CandidateScores.ts"
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
  /** What the labelled retrieval loss counts for, where the batches have labels; 0 where absent. */
  readonly retrievalLossWeight?: number
  /** A rate for all kinds of dropout, or those of the models' own configs. */
  readonly dropout: "model" | number
}

/**
 * The joint program: the batch's questions encoded and compared with their k passages, whose log-softmax is the prior; the
 * answer's likelihood under each passage by the language model; and the loss over both. Questions weigh as the batch says,
 * so that the sum over all passes of a batch is its mean. Where the batches have labels, `candidateNll` of the passages that
 * the data say answer is added, among those that were found and one labelled one that was not.
 *
 * Outputs `loss`; `nll`, nats a token with the passages summed out; `priorEntropy` and `posteriorEntropy`, means in nats of
 * the passages' distribution before and after the answer is known; `learned`, KL(posterior ‖ prior), what the answer tells
 * of the passages and the retriever does not know yet; `queryNorm`; and
 * `retrievalLoss`, the mean over questions with labels.
 */
export const jointProgram = Effect.fnUntraced(function* (
  models: { readonly towers: Towers; readonly generator: LanguageModel },
  { shape, answers }: Pick<JointBatch, "shape" | "answers">,
  { retrieval, loss: kind, labelSmoothing, retrievalLossWeight = 0, dropout }: JointProgramOptions,
): Effect.fn.Return<Program, ModelError, Runtime> {
  const { towers, generator } = models
  const { questions, k, answerTokens } = shape
  const { similarity, temperature } = retrieval
  const g = new GraphBuilder()
  const compared = yield* candidateScores(
    g,
    towers,
    { ...shape, k: shape.labelled ? k + 1 : k },
    { similarity, dropout },
  )
  const written = yield* callGenerator(g, generator, answers, dropout)
  const { queryNorm } = compared
  const read = (all: Value): Value => (shape.labelled ? g.slice(all, 1, 0, k) : all)
  const logPrior = retrievalLogPrior(g, read(compared.scores), { temperature, present: read(compared.present) })

  const places = g.input("answer_places", "int64", [questions, k, answerTokens])
  const mask = g.input("answer_mask", "bool", [questions, answerTokens])
  const { logits, targets, weights } = written
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
  const ragLoss = g.reduceSum(g.mul(perExample, g.input("question_weights", "float32", [questions])), [0], false)
  const labelled = shape.labelled ? labelledLoss(g, compared, { questions, temperature }) : undefined
  const outputs = {
    loss: labelled === undefined ? ragLoss : g.add(ragLoss, g.mul(labelled.loss, g.scalar(retrievalLossWeight))),
    ...(labelled === undefined ? {} : { retrievalLoss: labelled.mean }),
    nll: nllPerToken,
    ...passageFigures(g, g.exp(logPrior), posterior),
    queryNorm,
  }
  return { graph: g.build(outputs, "joint"), loss: "loss", dropout: [...compared.masks, ...written.masks] }
})

/** The labelled retrieval loss: its share of the batch's, and its mean over those questions of the pass that have labels. */
const labelledLoss = (
  g: GraphBuilder,
  { scores, present }: ScoredCandidates,
  { questions, temperature }: { readonly questions: number; readonly temperature: number },
) => {
  const answering = g.input("answering", "bool", scores.dims ?? [])
  const perQuestion = candidateNll(g, { scores, present, answering }, { retrieverTemperature: temperature })
  const weights = g.input("label_weights", "float32", [questions])
  const labelled = g.reduceSum(g.cast(g.less(g.scalar(0), weights), "float32"), [0], false)
  return {
    loss: g.reduceSum(g.mul(perQuestion, weights), [0], false),
    mean: g.div(g.reduceSum(perQuestion, [0], false), g.max(labelled, g.scalar(1))),
  }
}

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
