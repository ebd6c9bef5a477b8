import type { LanguageModel, ModelError } from "@tandem/models"
import { joinParts } from "@tandem/onnx"
import type { Retrieve } from "@tandem/retriever"
import { encoderOf, type Towers } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import type { SearchError } from "@tandem/store"
import type { Live, Objective } from "@tandem/trainers"
import { Effect } from "effect"
import { generatorPart } from "../generator/CallGenerator.ts"
import { distinctPassages } from "../retrieval/DistinctPassages.ts"
import { type JointBatch, type JointBatchOptions, type JointDraft, jointBatches } from "./JointBatches.ts"
import { type JointProgramOptions, jointProgram } from "./JointProgram.ts"
import type { LiveIndex, LiveIndexFailure } from "./LiveIndex.ts"

/** What decides the joint training of a retriever and a generator. */
export interface JointOptions extends JointBatchOptions, Omit<JointProgramOptions, "retrieval"> {}

/** The models that train together. The encoders have weights of their own each: that of passages may stay as it is. */
export interface JointModels {
  readonly towers: Extract<Towers, { readonly kind: "untied" }>
  readonly generator: LanguageModel
}

/**
 * Retrieval-augmented generation, trained as one (Lewis et al., RAG, 2020): for each question the k best passages are
 * searched with the query encoder's weights of this step, and the answer is made likelier with the passages summed out,
 *
 *     −log Σ_i p_R(z_i | x) p(y | x, z_i)        RAG-Sequence
 *     −Σ_t log Σ_i p_R(z_i | x) p(y_t | x, z_i, y_<t)        RAG-Token
 *
 * with p_R the softmax of similarities over τ. Nobody says which passage answers: a passage under which the answer is
 * likelier than under the others pulls the question's embedding towards its own. So both models learn from questions and
 * answers alone. The search gives no gradient; the question is encoded once more in the step's own graph, which does.
 *
 * Parts `query` and `generator`, and `passage` where passages are `live`. What is retrieved is decided in `complete`, with
 * the weights of the moment; `search` must give vectors with its hits where passages are frozen. Where they are live, `live`
 * is the index that `search` searches.
 */
export const jointObjective = (
  models: JointModels,
  options: JointOptions,
  { search, live }: { readonly search: Retrieve; readonly live?: LiveIndex },
): Omit<
  Objective<readonly JointDraft[], JointBatch, ModelError | SearchError | LiveIndexFailure, Runtime>,
  "trainable"
> => {
  const { towers, generator } = models
  const batches = jointBatches(models, options)
  const found = distinctPassages()
  return {
    name: "joint",
    parameters: joinParts({
      query: encoderOf(towers, "query").parameters,
      ...(options.passages === "live" ? { passage: encoderOf(towers, "passage").parameters } : {}),
      [generatorPart]: generator.parameters,
    }),
    draftsPerEpoch: batches.perEpoch,
    draft: (index) => Effect.sync(() => batches.draft(index)),
    complete: Effect.fnUntraced(function* (drafts: readonly JointDraft[], { step, weights }: Live) {
      const hits = yield* search(
        weights,
        drafts.map(({ question }) => question.query),
        options.k,
      )
      const distinct = found.share(hits.flat().map(({ passage }) => passage.id))
      const [one, ...more] = batches.complete(drafts, hits)
      const told = (batch: JointBatch): JointBatch => ({
        ...batch,
        statistics: { ...batch.statistics, distinct, ...live?.statistics(step) },
      })
      return [told(one), ...more.map(told)]
    }),
    ...(live === undefined ? {} : { hooks: [live.hook] }),
    states: [found.state, ...(live === undefined ? [] : [live.state])],
    reads: options.passages === "live" ? ["query", "passage"] : ["query"],
    program: (batch) => jointProgram(models, batch, options),
  }
}
