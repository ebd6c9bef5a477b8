import { priorDiagnostics, targetDiagnostics } from "@tandem/losses"
import type { ModelError } from "@tandem/models"
import { GraphBuilder } from "@tandem/onnx"
import type { Towers } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import type { Program } from "@tandem/trainers"
import { Effect } from "effect"
import { candidateScores } from "../retrieval/CandidateScores.ts"
import type { RetrievalSettings } from "../retrieval/RetrievalSettings.ts"
import type { LsrBatch } from "./LsrBatches.ts"
import { type LsrLossSettings, lsrLoss } from "./LsrLoss.ts"

/** What decides the program besides the shapes of its batches. */
export interface LsrProgramOptions {
  readonly retrieval: Pick<RetrievalSettings, "similarity">
  readonly loss: LsrLossSettings
  /** A rate for all kinds of dropout, or those of the models' own configs. */
  readonly dropout: "model" | number
}

/**
 * The program of LM-supervised retrieval: the batch's questions encoded and compared with their candidates, whose
 * distribution learns to be the teacher's. What the teacher said is an input and a constant.
 *
 * Outputs `loss`, the mean over the questions that train; `retrieverEntropy` and `targetEntropy`, means in nats;
 * `agreement`, the share of questions whose best passage is the target's; `helpfulRank`, the mean place of the target's best
 * passage in the retriever's order; `flatShare` and `oneHotShare` of the targets; `trained`, the share of questions that
 * train; `queryNorm`.
 */
export const lsrProgram = Effect.fnUntraced(function* (
  towers: Towers,
  { shape }: Pick<LsrBatch, "shape">,
  { retrieval: { similarity }, loss: settings, dropout }: LsrProgramOptions,
): Effect.fn.Return<Program, ModelError, Runtime> {
  const { questions, k } = shape
  const g = new GraphBuilder()
  const { scores, present, queryNorm, masks } = yield* candidateScores(g, towers, shape, { similarity, dropout })
  const teacher = g.input("teacher", "float32", [questions, k])
  const counts = g.input("answer_tokens", "float32", [questions])
  const weights = g.input("question_weights", "float32", [questions])
  const inputs = { scores, present, teacher, counts, weights }
  const { loss, logPrior, logTarget, trained } = lsrLoss(g, inputs, settings)
  const target = targetDiagnostics(g, { logPrior, logTarget, present })
  const outputs = {
    loss,
    retrieverEntropy: priorDiagnostics(g, { logPrior, present }).meanEntropy,
    targetEntropy: target.targetEntropy,
    agreement: target.agreement,
    helpfulRank: target.meanRank,
    flatShare: target.flatShare,
    oneHotShare: target.oneHotShare,
    trained,
    queryNorm,
  }
  return { graph: g.build(outputs, "lsr"), loss: "loss", dropout: masks }
})
