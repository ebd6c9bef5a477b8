import assert from "node:assert/strict"
import type { Passage } from "@tandem/datasets"
import { lcg32 } from "@tandem/random"
import { Cause, Effect, Exit } from "effect"
import type { StoreIdentity, StoreSimilarity } from "../../StoreContents.ts"

// What both contract suites work with.

export const dimension = 8
export const fingerprint = "encoder-1"
export const identityOf = (similarity: StoreSimilarity): StoreIdentity => ({ dimension, similarity, fingerprint })

export const passage = (id: string): Passage => ({ id, title: `Title of ${id}`, text: `Text of ${id}` })
export const passages = (count: number, prefix = "p"): Passage[] =>
  Array.from({ length: count }, (_, i) => passage(`${prefix}${i}`))

/** Reproducible numbers between −1 and 1. */
export const numbers = (count: number, seed: number): Float32Array => {
  const next = lcg32(seed)
  return Float32Array.from({ length: count }, () => next() / 2 ** 31 - 1)
}

export const batchOf = (count: number, seed = 1, prefix = "p") => ({
  passages: passages(count, prefix),
  vectors: numbers(count * dimension, seed),
  fingerprint,
})

export const scoreBy: { readonly [similarity in StoreSimilarity]: (q: Float32Array, p: Float32Array) => number } = {
  dot: (q, p) => q.reduce((sum, value, i) => sum + value * p[i]!, 0),
  cosine: (q, p) => scoreBy.dot(q, p) / Math.sqrt(scoreBy.dot(q, q) * scoreBy.dot(p, p)),
  l2: (q, p) => -q.reduce((sum, value, i) => sum + (value - p[i]!) ** 2, 0),
}

export const row = (vectors: Float32Array, index: number): Float32Array =>
  vectors.subarray(index * dimension, (index + 1) * dimension)

const failure = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<unknown> =>
  Effect.map(Effect.exit(effect), (exit) => {
    assert.ok(Exit.isFailure(exit), "it should have failed")
    return Cause.squash(exit.cause)
  })

export const assertFails = (effect: Effect.Effect<unknown, unknown>, tag: string, pattern: RegExp) =>
  Effect.map(failure(effect), (error) => {
    assert.ok(error instanceof Error && "_tag" in error, String(error))
    assert.equal(error._tag, tag)
    assert.match(error.message, pattern)
    return error
  })
