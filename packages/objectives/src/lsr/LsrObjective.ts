import type { ModelError } from "@tandem/models"
import { joinParts } from "@tandem/onnx"
import { encoderOf } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import type { Live, Objective } from "@tandem/trainers"
import { Effect } from "effect"
import type { JointModels } from "../joint/JointModels.ts"
import type { LiveIndex, LiveIndexFailure } from "../joint/LiveIndex.ts"
import { distinctPassages } from "../retrieval/DistinctPassages.ts"
import { type LsrBatch, type LsrBatchOptions, type LsrDraft, lsrBatches, type TaughtHit } from "./LsrBatches.ts"
import { type LsrProgramOptions, lsrProgram } from "./LsrProgram.ts"
import type { TaughtQuestion } from "./TaughtQuestion.ts"

/** What decides the training of a retriever by a teacher. */
export interface LsrOptions extends LsrBatchOptions, Omit<LsrProgramOptions, "retrieval"> {}

/** A batch's candidates with what the teacher says of them. */
export interface TaughtBatch {
  /** By question, best first. */
  readonly hits: readonly (readonly TaughtHit[])[]
  /** Pairs that the teacher was asked for in this step. */
  readonly asked: number
}

/**
 * Where a batch's candidates come from: found once before training, or searched with the weights of the moment. Vectors come
 * with them where passages are frozen.
 */
export interface TaughtCandidates<E, R> {
  readonly kind: "fixed" | "renewed"
  readonly taught: (questions: readonly TaughtQuestion[], live: Live) => Effect.Effect<TaughtBatch, E, R>
}

/**
 * LM-supervised retrieval (Shi et al., REPLUG, 2023; Lin et al., RA-DIT, 2023): the distribution of a question's candidates
 * under the retriever learns to be the one in which they help a frozen language model to the answer, or the one that another
 * teacher's scores make. A search result's floats carry no gradient, and neither do the teacher's; the question is encoded
 * once more in the step's own graph, which does.
 *
 * Part `query`, and `passage` where passages are `live`.
 */
export const lsrObjective = <E, R>(
  towers: JointModels["towers"],
  options: LsrOptions,
  { candidates, live }: { readonly candidates: TaughtCandidates<E, R>; readonly live?: LiveIndex },
): Omit<Objective<readonly LsrDraft[], LsrBatch, E | ModelError | LiveIndexFailure, R | Runtime>, "trainable"> => {
  const batches = lsrBatches(towers, options)
  const found = distinctPassages()
  const read = candidates.kind === "fixed" ? [] : ["query"]
  return {
    name: "lsr",
    parameters: joinParts({
      query: encoderOf(towers, "query").parameters,
      ...(options.passages === "live" ? { passage: encoderOf(towers, "passage").parameters } : {}),
    }),
    draftsPerEpoch: batches.perEpoch,
    draft: (index) => Effect.sync(() => batches.draft(index)),
    complete: Effect.fnUntraced(function* (drafts: readonly LsrDraft[], moment: Live) {
      const { hits, asked } = yield* candidates.taught(
        drafts.map(({ question }) => question),
        moment,
      )
      const distinct = found.share(hits.flat().map(({ hit }) => hit.passage.id))
      const statistics = { asked, distinct, ...live?.statistics(moment.step) }
      return [{ ...batches.complete(drafts, hits), statistics }] as const
    }),
    ...(live === undefined ? {} : { hooks: live.hooks }),
    states: [found.state, ...(live === undefined ? [] : [live.state])],
    reads: options.passages === "live" ? [...read, "passage"] : read,
    program: (batch) => lsrProgram(towers, batch, options),
  }
}
