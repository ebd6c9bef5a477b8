import type { ModelError } from "@tandem/models"
import { type Towers, towerParameters } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import { asDrafted, type Objective } from "@tandem/trainers"
import { Effect } from "effect"
import { type DprBatch, type DprBatchOptions, dprBatches } from "./DprBatches.ts"
import { dprProgram } from "./DprProgram.ts"

/** What decides the training of a dual encoder. */
export interface DprOptions extends DprBatchOptions {
  /** Passages also choose among questions. */
  readonly symmetric: boolean
  /** A rate for both kinds of dropout, or those of the model's own config. */
  readonly dropout: "model" | number
}

/**
 * Dense passage retrieval (Karpukhin et al., 2020): questions and passages are encoded, and each question is to score its
 * own passage highest among all of its batch. Parts `query` and, where that tower has weights of its own, `passage`.
 * Nothing is retrieved, so a draft is the batch.
 */
export const dprObjective = (
  towers: Towers,
  options: DprOptions,
): Omit<Objective<DprBatch, DprBatch, ModelError, Runtime>, "trainable"> => {
  const batches = dprBatches(towers, options)
  const { retrieval, symmetric, dropout } = options
  return {
    name: "dpr",
    parameters: towerParameters(towers),
    draftsPerEpoch: batches.perEpoch,
    draft: (index) => Effect.sync(() => batches.at(index)),
    complete: asDrafted,
    program: ({ shape }) => dprProgram(towers, shape, { ...retrieval, symmetric, dropout }),
  }
}
