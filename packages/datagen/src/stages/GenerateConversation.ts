import { Effect, Result } from "effect"
import type { Conversation, Item, Rejected } from "../Item.ts"
import { askFor } from "../model/AskFor.ts"
import type { Exchange, Model, ModelFailure, ModelRequest } from "../model/Model.ts"
import type { DatagenPrompts } from "../prompt/Prompts.ts"
import { correcting, seedOf } from "./Filter.ts"
import { readTurns, turnsFormat } from "./ReadTurns.ts"

/** What came of an item: a conversation, or why there is none, with all that was said. */
export interface Generated {
  readonly item: Item
  readonly conversation: Result.Result<Conversation, Rejected>
  readonly exchanges: readonly Exchange[]
}

export interface ConversationOptions {
  readonly prompts: Pick<DatagenPrompts, "rag_convs" | "rag_failed_convs" | "rag_correction">
  readonly seed: number
  /** Most times that the model is told what was wrong. */
  readonly corrections: number
  /** What an answer does where retrieval failed; `from_memory` where absent. */
  readonly failureBehavior?: "from_memory" | "abstain"
  /** Whether the model writes thoughts before each answer. */
  readonly thoughts?: boolean
}

/** What the model is asked about an item, at first. */
export const conversationRequest = (item: Item, options: ConversationOptions): ModelRequest => {
  const { chunk, shown, failed, multi = [] } = item
  const { prompts, seed, failureBehavior = "from_memory", thoughts = false } = options
  const needed = new Set([chunk, ...multi].map(({ id }) => id))
  const seen = ({ id, text, source, heading = "" }: Item["chunk"]) => ({
    text,
    source,
    heading,
    needed: needed.has(id),
  })
  return {
    messages: (failed ? prompts.rag_failed_convs : prompts.rag_convs).render({
      text: chunk.text,
      source: chunk.source,
      heading: chunk.heading ?? "",
      chunks: shown.map(seen),
      multi: multi.map(seen),
      thoughts,
      abstain: failureBehavior === "abstain",
    }),
    format: turnsFormat(thoughts),
    seed: seedOf(seed, item.key),
  }
}

/**
 * Has a model write a conversation about an item's chunk: with what was shown where retrieval succeeded; from memory, or by
 * abstaining, where it failed. An item whose reply cannot be used after all corrections is rejected.
 */
export const generateConversation = (
  model: Model,
  item: Item,
  options: ConversationOptions,
): Effect.Effect<Generated, ModelFailure> =>
  askFor(model, {
    ...conversationRequest(item, options),
    format: turnsFormat(options.thoughts ?? false),
    read: readTurns,
    ...correcting(options),
  }).pipe(
    Effect.map(({ answer, exchanges }) => ({
      item,
      exchanges,
      conversation: Result.match(answer, {
        onFailure: (reason) => Result.fail<Rejected>({ item, stage: "generate", reason }),
        onSuccess: (turns) => Result.succeed<Conversation>({ item, turns }),
      }),
    })),
  )
