import {
  answerLogLikelihood,
  marginalLogProbabilities,
  type RagLossOptions,
  ragTokenRenewed,
  retrievalLogPrior,
} from "@tandem/losses"
import type { ModelError } from "@tandem/models"
import { GraphBuilder, int } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import type { Program } from "@tandem/trainers"
import { Effect } from "effect"
import { callGenerator } from "../generator/CallGenerator.ts"
import { candidateScores } from "../retrieval/CandidateScores.ts"
import type { JointModels } from "./JointModels.ts"
import { type JointProgramOptions, passageFigures, sharesOf } from "./JointProgram.ts"
import type { RenewedBatch } from "./RenewedBatches.ts"

/**
 * The program of RAG-Token with renewed retrieval: all beginnings of all answers encoded and compared with what each found,
 * the answers' likelihood under each different passage once, and `ragTokenRenewed` over both. Outputs as `jointProgram`'s, of
 * the tokens' own priors.
 */
export const renewedProgram = Effect.fnUntraced(function* (
  { towers, generator }: JointModels,
  { shape, answers }: Pick<RenewedBatch, "shape" | "answers">,
  { retrieval, labelSmoothing, dropout }: Omit<JointProgramOptions, "loss">,
): Effect.fn.Return<Program, ModelError, Runtime> {
  const { questions, retrievals, k, prompts, answerTokens, candidates } = shape
  const { similarity, temperature } = retrieval
  const g = new GraphBuilder()
  const compared = yield* candidateScores(g, towers, candidates, { similarity, dropout })
  const read = yield* callGenerator(g, generator, answers, dropout)
  const flat = retrievalLogPrior(g, compared.scores, { temperature, present: compared.present })
  const logPrior = g.reshape(flat, [questions, retrievals, k])
  const passages = g.input("retrieved", "int64", [questions, retrievals, k])
  const segments = g.input("segments", "int64", [questions, answerTokens])
  const places = g.input("answer_places", "int64", [questions, prompts, answerTokens])
  const mask = g.input("answer_mask", "bool", [questions, answerTokens])
  const { logits, targets, weights } = read
  const { perToken } = answerLogLikelihood(g, { logits, targets, mask: weights })
  const inputs = { logPrior, passages, segments, logLikelihood: g.gather(perToken, places), mask }
  const smoothing = (): RagLossOptions => {
    if (labelSmoothing === 0) return {}
    // The same lookups as of the likelihoods, of which places of logits each token has under its own passages.
    const { tokenLogPrior, tokenPassages } = ragTokenRenewed(g, inputs)
    const own = g.op("GatherElements", [g.transpose(places, [0, 2, 1]), tokenPassages], {
      attributes: { axis: int(2) },
    })[0]!
    const marginal = marginalLogProbabilities(g, { logPrior: tokenLogPrior, logits, places: own })
    return {
      smoothing: {
        epsilon: labelSmoothing,
        vocabularySize: Number(logits.dims?.[1]),
        vocabularySums: g.reduceSum(marginal, [2], false),
      },
    }
  }
  const { perExample, nllPerToken, posterior, tokenLogPrior, counts } = ragTokenRenewed(g, inputs, smoothing())
  const shares = sharesOf(g, posterior, mask, counts)
  const prior = sharesOf(g, g.exp(tokenLogPrior), mask, counts)
  const outputs = {
    loss: g.reduceSum(g.mul(perExample, g.input("question_weights", "float32", [questions])), [0], false),
    nll: nllPerToken,
    ...passageFigures(g, prior, shares),
    queryNorm: compared.queryNorm,
  }
  return { graph: g.build(outputs, "joint renewed"), loss: "loss", dropout: [...compared.masks, ...read.masks] }
})
