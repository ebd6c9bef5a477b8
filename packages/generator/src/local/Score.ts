import type { LanguageModel, ModelError } from "@tandem/models"
import { Effect } from "effect"
import type { Score } from "../Generator.ts"
import { batchesOf } from "./Batches.ts"
import type { Engine } from "./Engine.ts"

/** An answer under several prompts, as token ids. */
export interface TokenRequest {
  readonly prompts: readonly (readonly number[])[]
  readonly answer: readonly number[]
}

export interface ScoreLimits {
  /** Most places of one run, padding included. */
  readonly places: number
}

/** What a run holds where rows may be run in any order: enough for its products, few enough for its scores to stay in a cache. */
const runPlaces = 768

/** Runs' worth of rows whose beginnings are read together. */
const groupedRuns = 4

/** Share of all tokens that has to be saved, or prompts are read whole: attention in two parts moves more memory. */
const leastShared = 1 / 16

/**
 * Likelihoods of answers. What the prompts of a request begin with is computed once where that saves enough; requests of
 * one number of prompts share runs. Where the model has a graph for scoring, rows of like lengths stand in a run, whichever
 * request they are of.
 */
export const scoreTokens = Effect.fnUntraced(function* (
  model: LanguageModel,
  engine: Engine,
  requests: readonly TokenRequest[],
  { places }: ScoreLimits,
): Effect.fn.Return<readonly (readonly Score[])[], ModelError> {
  const scores: Score[][] = requests.map(() => [])
  if (model.kind === "seq2seq") {
    const items = requests.flatMap(({ prompts, answer }, request) =>
      prompts.map((prompt, place) => ({ request, place, prompt, answer })),
    )
    const lengths = items.map(({ prompt, answer }) => Math.max(prompt.length, answer.length + 1))
    for (const batch of batchesOf(lengths, { members: places, places, uneven: true })) {
      const members = batch.map((index) => items[index]!)
      const found = yield* Effect.scoped(
        Effect.gen(function* () {
          const score = yield* engine.scorer(members.map(({ prompt }) => prompt))
          return yield* score(
            members.map(({ answer }, prefix) => ({
              ...{ ids: [model.startTokenId, ...answer], start: 0, prefix },
              targets: answer.length,
            })),
          )
        }),
      )
      for (const [index, { request, place }] of members.entries()) scores[request]![place] = scoreOf(found[index]!)
    }
    return scores
  }
  const cuts = requests.map((request) => (engine.sharesPrefixes ? sharedBeginning(request) : 0))
  const alikes = Map.groupBy(requests.keys(), (index) => `${requests[index]!.prompts.length} ${cuts[index]! > 0}`)
  for (const alike of alikes.values()) {
    const members = requests[alike[0]!]!.prompts.length
    const isShared = cuts[alike[0]!]! > 0
    if (members === 0) continue
    const lengths = alike.map((index) => {
      const { prompts, answer } = requests[index]!
      return prompts.reduce((longest, { length }) => Math.max(longest, length), 0) - cuts[index]! + answer.length
    })
    const together = engine.mixesRows ? groupedRuns * places : places
    for (const batch of batchesOf(lengths, { members: places, places: together / members, uneven: true })) {
      const chosen = batch.map((at) => alike[at]!)
      const rows = chosen.flatMap((index, prefix) => {
        const { prompts, answer } = requests[index]!
        return prompts.map((prompt) => ({
          ...{ ids: [...prompt.slice(cuts[index]), ...answer], start: cuts[index]! },
          ...{ prefix: isShared ? prefix : 0, targets: answer.length },
        }))
      })
      const found = yield* Effect.scoped(
        Effect.gen(function* () {
          const shared = chosen.map((index) => requests[index]!.prompts[0]!.slice(0, cuts[index]))
          const score = yield* engine.scorer(isShared ? shared : [])
          if (!engine.mixesRows) return yield* score(rows)
          const scored: (readonly number[])[] = []
          const limits = { members: rows.length, places: Math.min(places, runPlaces), uneven: true }
          for (const run of batchesOf(
            rows.map(({ ids }) => ids.length),
            limits,
          )) {
            const each = yield* score(run.map((row) => rows[row]!))
            for (const [at, row] of run.entries()) scored[row] = each[at]!
          }
          return scored
        }),
      )
      let at = 0
      for (const index of chosen) scores[index] = requests[index]!.prompts.map(() => scoreOf(found[at++]!))
    }
  }
  return scores
})

const scoreOf = (perToken: readonly number[]): Score => ({
  perToken,
  logprob: perToken.reduce((sum, each) => sum + each, 0),
})

/** How many tokens all prompts of a request begin with, without the last one of any; 0 where that saves too little. */
const sharedBeginning = ({ prompts, answer }: TokenRequest): number => {
  const [first = []] = prompts
  if (prompts.length < 2) return 0
  const limit = Math.min(...prompts.map(({ length }) => length)) - 1
  let length = 0
  while (length < limit && prompts.every((prompt) => prompt[length] === first[length])) length++
  const all = prompts.reduce((sum, prompt) => sum + prompt.length + answer.length, 0)
  return length * (prompts.length - 1) < leastShared * all ? 0 : length
}
