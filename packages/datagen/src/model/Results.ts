import type { Usage } from "@tandem/generator"
import { Context, Effect, Layer } from "effect"
import type { ResultStoreFailed } from "../Errors.ts"

/** A model's reply as it is kept. */
export interface StoredReply {
  readonly text: string
  /** What a reasoning model thought before, where it was told apart. */
  readonly thoughts?: string
  /** `refused` where the endpoint gave no whole answer, for `text` as its reason. */
  readonly finish: "end" | "stop" | "length" | "refused"
  /** As the endpoint counts; an estimate where it does not. */
  readonly usage: Usage
}

/** Which model a reply was paid to. */
export type ModelRole = "small" | "large"

/** Where finished calls are kept, by the hash of all that decides them. */
export interface ResultsShape {
  readonly get: (key: string) => Effect.Effect<StoredReply | undefined, ResultStoreFailed>
  /** Kept for good once this ends, whatever happens to the process. */
  readonly put: (key: string, role: ModelRole, reply: StoredReply) => Effect.Effect<void, ResultStoreFailed>
  /** Counts what an answer took that cannot be used and is not kept. */
  readonly charge: (role: ModelRole, usage: Usage) => Effect.Effect<void, ResultStoreFailed>
  /** Tokens of all calls that are kept or were charged. */
  readonly paid: Effect.Effect<Readonly<Record<ModelRole, Usage>>, ResultStoreFailed>
}

/** The store of finished calls, which makes a pipeline resumable: what is there is never asked or paid for again. */
export class Results extends Context.Service<Results, ResultsShape>()("@tandem/datagen/Results") {}

/** Results that live as long as the process. */
export const memoryResults = (): ResultsShape => {
  const replies = new Map<string, { readonly role: ModelRole; readonly reply: StoredReply }>()
  const charged = { small: { inputTokens: 0, outputTokens: 0 }, large: { inputTokens: 0, outputTokens: 0 } }
  return {
    get: (key) => Effect.sync(() => replies.get(key)?.reply),
    put: (key, role, reply) => Effect.sync(() => void replies.set(key, { role, reply })),
    charge: (role, usage) =>
      Effect.sync(() => {
        charged[role] = addUsage(charged[role], usage)
      }),
    paid: Effect.sync(() => {
      const paid = { ...charged }
      for (const { role, reply } of replies.values()) paid[role] = addUsage(paid[role], reply.usage)
      return paid
    }),
  }
}

export const layerMemory: Layer.Layer<Results> = Layer.sync(Results, memoryResults)

export const addUsage = (a: Usage, b: Usage): Usage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
})
