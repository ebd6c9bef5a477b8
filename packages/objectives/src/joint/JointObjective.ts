import type { ModelError } from "@tandem/models"
import { joinParts } from "@tandem/onnx"
import type { Retrieve } from "@tandem/retriever"
import { encoderOf } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import type { Hit, SearchError } from "@tandem/store"
import type { Batch, Live, Objective, Passes, Program } from "@tandem/trainers"
import { Effect } from "effect"
import { generatorPart } from "../generator/CallGenerator.ts"
import { distinctPassages } from "../retrieval/DistinctPassages.ts"
import { type JointBatchOptions, jointBatches } from "./JointBatches.ts"
import type { JointModels } from "./JointModels.ts"
import { type JointProgramOptions, jointProgram } from "./JointProgram.ts"
import type { LiveIndex, LiveIndexFailure } from "./LiveIndex.ts"
import { renewedBatches } from "./RenewedBatches.ts"
import { renewedProgram } from "./RenewedProgram.ts"

/** What decides the joint training of a retriever and a generator. */
export interface JointOptions extends JointBatchOptions, Omit<JointProgramOptions, "retrieval"> {
  /** RAG-Token searches again after every so many tokens of the answer; once, before it, where absent. */
  readonly renewEvery?: number
}

/** A batch's questions, before anything is found for them. */
export interface SearchedDraft {
  /** What is searched for. */
  readonly texts: readonly string[]
  /** The batch with what was found, for each text in order. */
  readonly complete: (hits: readonly (readonly Hit[])[]) => Passes<SearchedBatch>
}

/** A pass over some of a batch's questions with what was found for them. */
export interface SearchedBatch extends Batch {
  readonly program: Effect.Effect<Program, ModelError, Runtime>
}

/**
 * Retrieval-augmented generation, trained as one (Lewis et al., RAG, 2020): for each question the k best passages are
 * searched with the query encoder's weights of this step, and the answer is made likelier with the passages summed out,
 *
 *     −log Σ_i p_R(z_i | x) p(y | x, z_i)        RAG-Sequence
 *     −Σ_t log Σ_i p_R(z_i | x) p(y_t | x, z_i, y_<t)        RAG-Token
 *
 * with p_R the softmax of similarities over τ; with `renewEvery`, RAG-Token's passages and prior follow the answer as it grows. Nobody says which passage answers: a passage under which the answer is
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
): Omit<Objective<SearchedDraft, SearchedBatch, ModelError | SearchError | LiveIndexFailure, Runtime>, "trainable"> => {
  const { towers, generator } = models
  const { renewEvery } = options
  const batches =
    renewEvery === undefined ? plainDrafts(models, options) : renewedDrafts(models, { ...options, renewEvery })
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
    complete: Effect.fnUntraced(function* ({ texts, complete }: SearchedDraft, { step, weights }: Live) {
      const hits = yield* search(weights, texts, options.k)
      const distinct = found.share(hits.flat().map(({ passage }) => passage.id))
      const [one, ...more] = complete(hits)
      const told = (batch: SearchedBatch): SearchedBatch => ({
        ...batch,
        statistics: { ...batch.statistics, distinct, ...live?.statistics(step) },
      })
      return [told(one), ...more.map(told)]
    }),
    ...(live === undefined ? {} : { hooks: live.hooks }),
    states: [found.state, ...(live === undefined ? [] : [live.state])],
    reads: options.passages === "live" ? ["query", "passage"] : ["query"],
    program: ({ program }) => program,
  }
}

interface Drafts {
  readonly perEpoch: number
  readonly draft: (index: number) => SearchedDraft
}

/** Each question is searched once. */
const plainDrafts = (models: JointModels, options: JointOptions): Drafts => {
  const { perEpoch, draft, complete } = jointBatches(models, options)
  return {
    perEpoch,
    draft: (index) => {
      const drafts = draft(index)
      return {
        texts: drafts.map(({ question }) => question.query),
        complete: (hits) => withPrograms(complete(drafts, hits), (batch) => jointProgram(models, batch, options)),
      }
    },
  }
}

/** Each question is searched again as its answer grows. */
const renewedDrafts = (models: JointModels, options: JointOptions & { readonly renewEvery: number }): Drafts => {
  const { perEpoch, draft, complete } = renewedBatches(models, options)
  return {
    perEpoch,
    draft: (index) => {
      const drafts = draft(index)
      return {
        texts: drafts.flatMap(({ texts }) => texts),
        complete: (hits) => withPrograms(complete(drafts, hits), (batch) => renewedProgram(models, batch, options)),
      }
    },
  }
}

const withPrograms = <B extends Batch>(
  [one, ...more]: Passes<B>,
  program: (batch: B) => SearchedBatch["program"],
): Passes<SearchedBatch> => {
  const whole = (batch: B): SearchedBatch => ({ ...batch, program: program(batch) })
  return [whole(one), ...more.map(whole)]
}
