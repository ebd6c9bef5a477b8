import { answerNll } from "@tandem/losses"
import type { LanguageModel, ModelError } from "@tandem/models"
import { GraphBuilder, joinParts } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import { asDrafted, type Objective, type Passes, type Program } from "@tandem/trainers"
import { Effect } from "effect"
import { callGenerator, generatorPart, generatorWeights } from "../generator/CallGenerator.ts"
import { type RaltBatch, type RaltBatchOptions, raltBatches } from "./RaltBatches.ts"

/** What decides the fine-tuning of a language model on retrieved passages. */
export interface RaltOptions extends RaltBatchOptions {
  /** A rate for all kinds of dropout, or those of the model's own config. */
  readonly dropout: "model" | number
}

/**
 * Fine-tuning a language model on retrieved passages (Lin et al., RA-DIT, 2023): each question makes `k` independent
 * examples, one for each of its best passages, and the answer behind each of these prompts is made more likely,
 *
 *     −Σ_i Σ_j log p(answer_i | question_i, passage_ij)
 *
 * reduced as `tokenWeights` says. Passages that do not help stay in: the model learns to ignore them. The retriever is
 * frozen, so passages are found before training, and a draft is the batch, in as many passes as its tokens ask for; the
 * gradient does not depend on their number. One part, `generator`.
 */
export const raltObjective = (
  model: LanguageModel,
  options: RaltOptions,
): Omit<Objective<Passes<RaltBatch>, RaltBatch, ModelError, Runtime>, "trainable"> => {
  const batches = raltBatches(model, options)
  return {
    name: "ralt",
    parameters: joinParts({ [generatorPart]: generatorWeights(model) }),
    draftsPerEpoch: batches.perEpoch,
    draft: (index) => Effect.sync(() => batches.at(index)),
    complete: asDrafted,
    program: (batch) => raltProgram(model, batch, options.dropout),
  }
}

/**
 * The language model with its loss, the sum of −weight · log p over the answers' tokens. Outputs `loss` and `nll`, the same
 * over the sum of weights: nats a token.
 */
export const raltProgram = Effect.fnUntraced(function* (
  model: LanguageModel,
  { answers }: Pick<RaltBatch, "answers">,
  dropout: "model" | number,
): Effect.fn.Return<Program, ModelError, Runtime> {
  const g = new GraphBuilder()
  const { logits, targets, weights, masks } = yield* callGenerator(g, model, answers, dropout)
  const { loss, counts } = answerNll(g, { logits, targets, mask: weights }, { reduction: "sum" })
  const total = g.reduceSum(counts, [0], false)
  const nll = g.div(loss, g.where(g.equal(total, g.scalar(0)), g.scalar(1), total))
  return { graph: g.build({ loss, nll }, "ralt"), loss: "loss", dropout: masks }
})
